"""Timestamps by RFC 3161 on entries of the ledger, from an authority on this machine; verified offline."""

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlgit.domain import layout
from mlgit.edges.timestamps import Rfc3161Timestamps
from mlgit.errors import Inconclusive, MlgitError
from tests.flows.authority import Authority
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team
from tests.flows.test_audit_abuse import last, manifest, on_ledger

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
CERTIFICATES = ".mlgit/timestamp-authority.pem"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    made = Authority(tmp_path_factory.mktemp("authority") / "tsa")
    with made.serve():
        yield made


@pytest.fixture
def notarised(proposed: Team, authority: Authority) -> Team:
    """The policy of production requires timestamps. An authority knows the real time only, so it is now."""
    ana = proposed.ana
    proposed.now.moment = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2)
    ana.commit(
        "Require timestamps",
        {
            "mlgit.yaml": ana.read("mlgit.yaml") + f'timestamps: {{url: "{authority.url}"}}\n',
            CERTIFICATES: authority.certificates,
            "policies/production.yaml": ana.read("policies/production.yaml") + "timestamps: true\n",
        },
    )
    proposed.now.moment = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=4)
    ana.does("observe staging")  # what was recorded before has no timestamp
    ana.does(f"promote {MODEL}@2 --to production")
    return proposed


def test_a_token_is_one_that_openssl_accepts(authority: Authority) -> None:
    timestamps = Rfc3161Timestamps()
    token = timestamps.request(b"content", authority.url)
    assert authority.verifies(b"content", token)
    time = timestamps.verify(b"content", token, authority.certificates.encode())
    assert abs(datetime.now(UTC) - time) < timedelta(minutes=1)


def test_a_token_counts_for_its_bytes_and_its_authority_only(authority: Authority, tmp_path: Path) -> None:
    timestamps, other = Rfc3161Timestamps(), Authority(tmp_path / "other")
    token = timestamps.request(b"content", authority.url)
    trusted = authority.certificates.encode()
    wrong = (
        (b"other content", token, trusted),
        (b"content", token, other.certificates.encode()),
        (b"content", token[:-20], trusted),
        (b"content", token[:-1] + bytes([token[-1] ^ 1]), trusted),
        (b"content", b"", trusted),
    )
    for content, given, certificates in wrong:
        with pytest.raises(MlgitError) as caught:
            timestamps.verify(content, given, certificates)
        assert caught.value.findings[0].id == "timestamp-invalid"
    with pytest.raises(MlgitError) as caught:
        timestamps.verify(b"content", token, b"no certificate")
    assert caught.value.findings[0].id == "timestamp-authority-invalid"


def test_an_authority_that_does_not_answer_is_inconclusive() -> None:
    with pytest.raises(Inconclusive) as caught:
        Rfc3161Timestamps().request(b"content", "http://127.0.0.1:9/")
    assert caught.value.findings[0].id == "timestamp-authority-unreachable"
    with pytest.raises(MlgitError) as refused:
        Rfc3161Timestamps().request(b"content", "file:///etc/passwd")
    assert refused.value.findings[0].id == "timestamp-authority-invalid"


def test_entries_are_timestamped_and_verified_offline(notarised: Team, authority: Authority) -> None:
    ana = notarised.ana
    notarised.ben.does("approve")
    ana.does("merge")
    ana.does("apply production")
    files = ana.files("mlgit-ledger")
    path = layout.decision(manifest(notarised, "main").promotion)
    assert layout.timestamp(path) in files
    content = ana.show("mlgit-ledger", path).encode() + b"\n"
    blob = ana.git("rev-parse", f"mlgit-ledger:{layout.timestamp(path)}")
    place = notarised.folder / "token"
    with place.open("wb") as file:
        subprocess.run(["git", "cat-file", "blob", blob], cwd=ana.root, stdout=file, check=True)
    assert authority.verifies(content, place.read_bytes())
    url, authority.url = authority.url, ""
    try:
        assert {*last(ana)[1]} <= {"rules-recent", "rules-unapproved"}  # the rules that this test changed
        found = ana("audit --json").json
        assert [one.get("notarised", False) for one in found["changes"]][-1]
    finally:
        authority.url = url


def test_an_approval_whose_timestamp_was_deleted_from_the_ledger_counts(notarised: Team) -> None:
    """The ledger still has the timestamp in its history: nobody takes back an approval of somebody else."""
    notarised.ben.does("approve")
    tokens = [
        path for path in notarised.ana.files("mlgit-ledger") if path.startswith("approvals/") and path.endswith(".tsr")
    ]

    def lose(desk: Desk) -> None:
        desk.git("rm", "--quiet", *tokens)
        desk.git("commit", "--quiet", "-m", "Lose them")

    on_ledger(notarised.mallory, lose)
    notarised.ana.does("merge")


def test_a_vote_that_states_another_time_than_its_timestamp_does_not_count(notarised: Team) -> None:
    """Ben's clock, and that of Git, are two days behind; the authority's is not."""
    notarised.now.wait(timedelta(days=2))
    notarised.ben.does("approve")
    answer = notarised.ana("merge")
    assert (answer.code, answer.ids) == (1, ["approvals-missing"])
    assert "its timestamp is of" in answer.text


def test_without_an_authority_a_required_timestamp_stops_the_approval(proposed: Team) -> None:
    ana = proposed.ana
    ana.commit(
        "Require timestamps", {"policies/production.yaml": ana.read("policies/production.yaml") + "timestamps: true\n"}
    )
    answer = ana(f"promote {MODEL}@2 --to production")
    assert "timestamp-authority-missing" in answer.ids
