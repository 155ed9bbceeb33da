"""Text that people review has no credentials."""

import pytest

from mlgit.domain.rules.texts import check_secrets

DVC = """[core]
    remote = storage
['remote "storage"']
    url = s3://bucket/path
    {}
"""


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        *(
            (".dvc/config", DVC.format(f"{key} = {value}"), 5)
            for key, value in (("password", "x"), ("secret_access_key", "y"))
        ),
        (".dvc/config", DVC.format("").replace("s3://bucket", "https://ana:pass@host"), 4),
        ("requirements.txt", "numpy\n--index-url https://ana:s3cret@pypi.example/simple\n", 2),
        ("models/churn/card.md", "# churn\n\nUse the key AKIA" + "ABCDEFGHIJKLMNOP.\n", 3),
        ("models/churn/card.md", "password = hunter2hunter2\n", 1),
        ("models/churn/card.md", "API_KEY: 'a1b2c3d4e5f6'\n", 1),
        ("models/churn/card.md", "-----BEGIN OPENSSH PRIVATE KEY-----\n", 1),
        ("params.yaml", "token: ghp_" + "a1" * 18 + "\n", 1),
    ],
)
def test_credentials_are_found_and_not_quoted(file: str, text: str, line: int) -> None:
    (finding,) = check_secrets(text.encode(), file)
    assert (finding.id, finding.at.line if finding.at else None) == ("credentials-committed", line)
    assert not any(secret in str(finding) for secret in ("hunter2", "s3cret", "AKIA", "ghp_", "a1b2"))


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (".dvc/config", DVC.format("password =\n    ask_password = true\n    access_key = true")),
        (".dvc/config", DVC.format("").replace("s3://bucket", "ssh://ana@host:22")),
        ("models/churn/card.md", "The password is never a feature. Token: the smallest part of a text.\n"),
        ("models/churn/card.md", "See https://host:8080/a@b, and mail ana@acme.example.\n"),
        (".github/workflows/ci.yml", "password: ${{ secrets.TOKEN1 }}\nurl: https://x:${{ secrets.T }}@host\n"),
    ],
)
def test_what_only_speaks_of_credentials_is_none(file: str, text: str) -> None:
    assert list(check_secrets(text.encode(), file)) == []
