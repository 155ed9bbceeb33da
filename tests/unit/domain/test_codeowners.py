"""CODEOWNERS: which rule counts, and what of the file forges do not read."""

import pytest

from mlgit.domain import codeowners


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*", "policies/production.yaml", True),
        ("*.yaml", "policies/production.yaml", True),
        ("*.yaml", "mlgit.yaml", True),
        ("*.yaml", "README.md", False),
        ("/policies/", "policies/production.yaml", True),
        ("/policies/", "old/policies/production.yaml", False),
        ("policies/", "old/policies/production.yaml", True),
        ("/policies", "policies/production.yaml", True),
        ("/policies/*", "policies/production.yaml", True),
        ("/policies/*", "policies/old/production.yaml", False),
        ("/environments/*/environment.yaml", "environments/staging/environment.yaml", True),
        ("/environments/*/environment.yaml", "environments/staging/churn.yaml", False),
        ("/environments/**", "environments/staging/churn.yaml", True),
        ("**/environment.yaml", "environments/staging/environment.yaml", True),
        ("/environments/**/environment.yaml", "environments/staging/environment.yaml", True),
        ("/mlgit.yaml", "mlgit.yaml", True),
        ("/mlgit.yaml", "mlgitxyaml", False),
        ("/v?/", "v1/model", True),
        ("/v?/", "v12/model", False),
    ],
)
def test_a_pattern_fits_the_paths_that_forges_let_it_fit(pattern: str, path: str, fits: bool) -> None:
    assert bool(codeowners.parse(f"{pattern} @ana\n").of(path)) is fits


def test_the_last_rule_that_fits_counts_also_where_it_names_nobody() -> None:
    owners = codeowners.parse("* @ana\n/policies/ @acme/risk ben@acme.example  # theirs\n/policies/loose.yaml\n")
    assert owners.of("README.md") == ("@ana",)
    assert owners.of("policies/production.yaml") == ("@acme/risk", "ben@acme.example")
    assert owners.of("policies/loose.yaml") == ()


@pytest.mark.parametrize(
    "line", ["!/policies/ @ana", "/v[12]/ @ana", r"\#odd @ana", "/policies/ risk-team", "/policies/ @ana ,@ben"]
)
def test_what_forges_do_not_read_is_a_fault_and_no_rule(line: str) -> None:
    owners = codeowners.parse(f"# who owns what\n\n{line}\n")
    assert owners.rules == ()
    assert {number for number, _ in owners.faults} == {3}
