"""An exception of a remote is a finding; a mistake in mlgit's own code is not called one."""

from typing import Any

import pytest

from mlgit.edges.dvc import storage_errors
from mlgit.edges.dvc.storage_errors import as_findings
from mlgit.errors import Inconclusive


def test_what_a_library_raises_is_a_finding() -> None:
    with pytest.raises(Inconclusive) as caught, as_findings("storage"):
        int("not a number")
    assert caught.value.findings[0].id == "dvc-remote-unreachable"


def test_a_mistake_of_our_own_stays_a_bug() -> None:
    nothing: Any = None
    with pytest.raises(AttributeError), as_findings("storage"):
        storage_errors.corrupt(nothing, "there", "why")
