"""CODEOWNERS: which rule counts, and which lines are errors."""

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
def test_a_pattern_matches_the_same_paths_as_at_a_forge(pattern: str, path: str, fits: bool) -> None:
    assert bool(codeowners.parse(f"{pattern} @ana\n").owners_of(path)) is fits


def test_the_last_matching_rule_counts_even_without_owners() -> None:
    owners = codeowners.parse("* @ana\n/policies/ @acme/risk ben@acme.example  # theirs\n/policies/loose.yaml\n")
    assert owners.owners_of("README.md") == ("@ana",)
    assert owners.owners_of("policies/production.yaml") == ("@acme/risk", "ben@acme.example")
    assert owners.owners_of("policies/loose.yaml") == ()


@pytest.mark.parametrize(
    "line", ["!/policies/ @ana", "/v[12]/ @ana", r"\#odd @ana", "/policies/ risk-team", "/policies/ @ana ,@ben"]
)
def test_unsupported_syntax_is_an_error_and_no_rule(line: str) -> None:
    owners = codeowners.parse(f"# who owns what\n\n{line}\n")
    assert owners.rules == ()
    assert {number for number, _ in owners.errors} == {3}
