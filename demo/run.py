"""Show the main workflow of mlgit, end to end, on real data, in a new repository.

The output below each prompt is the real output of that command. Ana trains and proposes, Ben reviews; each has an SSH key that
is created here. The repository is left for exploring.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FOLDER = ROOT / "build" / "demo"
REPOSITORY = FOLDER / "flights"
CLONE = FOLDER / "bens-clone"
WIDTH = 110
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


class Person:
    """A person with a Git identity and an SSH key."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.email = f"{name.lower()}@acme.example"
        self.key = FOLDER / "keys" / name.lower()

    def make_key(self) -> None:
        """Create an ed25519 key, without a passphrase because nobody is there to type it."""
        self.key.parent.mkdir(parents=True, exist_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.email, "-f", str(self.key)]
        subprocess.run(command, check=True)

    def allowed_signer(self) -> str:
        """Return this person's line for `.mlgit/allowed_signers`."""
        kind, key = self.key.with_suffix(".pub").read_text().split()[:2]
        return f'{self.email} namespaces="git,mlgit-approval,mlgit-ledger" {kind} {key}\n'

    def environment(self) -> dict[str, str]:
        """Return the environment of this person's shell: their Git settings, and none of those of the user."""
        settings = {
            "user.name": self.name,
            "user.email": self.email,
            "user.signingkey": str(self.key),
            "gpg.format": "ssh",
            "commit.gpgsign": "true",
            "gpg.ssh.allowedSignersFile": str(REPOSITORY / ".mlgit/allowed_signers"),
            "init.defaultBranch": "main",
            "core.autocrlf": "false",
        }
        pairs = {
            f"GIT_CONFIG_{part}_{n}": text
            for n, item in enumerate(settings.items())
            for part, text in zip(("KEY", "VALUE"), item, strict=True)
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_"))}
        return (
            inherited
            | pairs
            | {
                "GIT_CONFIG_COUNT": str(len(settings)),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": os.devnull,
                "DVC_NO_ANALYTICS": "1",
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            }
            | ({} if COLOUR else {"NO_COLOR": "1"})
        )


ANA, BEN = Person("Ana"), Person("Ben")
ROLES = f"""\
# yaml-language-server: $schema=schemas/roles.schema.json
kind: roles
schema: 1
people:
  ana: {{emails: [{ANA.email}], roles: [trainer, applier]}}
  ben: {{emails: [{BEN.email}], roles: [reviewer]}}
"""


def main() -> None:
    """Run all chapters."""
    started = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for person in (ANA, BEN):
        person.make_key()
    create_project()
    promote_first_version()
    promote_better_version()
    refuse_worse_version()
    roll_back()
    audit()
    say(f"\nDone in {time.monotonic() - started:.0f} s. The repository is left for exploring:\n")
    say(f"  cd {REPOSITORY}")
    say(f"  export PATH={Path(sys.executable).parent}:$PATH")
    say("  mlgit show late-arrival@2        # what it was made from, and how good it is")
    say("  mlgit explain beats-champion     # the gate that refused version 3")
    say("  mlgit lineage late-arrival@2     # its data, code and people")
    say("  mlgit audit --format html --output audit.html")
    say("  git log mlgit-ledger --stat      # approvals and deployments")
    say("\nFor your own data: mlgit init my-project")


def create_project() -> None:
    """Create a project in an empty folder, with the flights as its data."""
    chapter("Create a project")
    run(ANA, "git init -q -b main flights", cwd=FOLDER)
    run(
        ANA,
        "mlgit init flights --template bring-your-own --owner @acme/operations --remote ../storage --yes",
        cwd=FOLDER,
    )
    write_project()
    run(ANA, f"mlgit data add {os.path.relpath(HERE / 'data/flights-2013.parquet', REPOSITORY)} --dataset flights")
    run(ANA, "mlgit validate")
    run(ANA, "git add -A")
    run(ANA, "git commit -q -m 'Late arrivals: problem, contract, model and pipeline'")


def promote_first_version() -> None:
    """Train a first version, and promote it to production with a second person's approval."""
    chapter("First version: logistic regression")
    train_and_register()
    promote(1, "staging")
    promote(1, "production", refuse_own=True)
    run(ANA, "mlgit status")


def promote_better_version() -> None:
    """Train a second version. Its promotion has to be made again when the policy or the base has changed."""
    chapter("A better version, compared on the same rows")
    commit_settings("kind=boosted", message="Boosted trees instead of a logistic regression")
    train_and_register()
    run(BEN, f"git clone -q flights {CLONE.name}", cwd=FOLDER)
    promote(2, "staging")
    run(ANA, "mlgit promote late-arrival@2 --to production")

    chapter("Stale promotions are refused: the policy or the base has changed")
    say("\nA policy is a rule: Ben proposes the change on a branch, and Ana approves it.")
    run(BEN, "git switch -q -c stricter")
    run(BEN, "sed -i 's/margin: 0.0$/margin: 0.01/' policies/production.yaml")
    run(BEN, "git diff -U0 policies")
    run(BEN, "git commit -q -a -m 'Require a gain of one point' && git switch -q main")
    run(ANA, "mlgit approve stricter")
    run(BEN, "mlgit merge stricter")
    run(BEN, "mlgit approve production/late-arrival", expect=1)
    promote(2, "production")
    say("\nBen has an old clone, from before version 2 was in staging, and proposes it there again.")
    run(BEN, "mlgit promote late-arrival@2 --to staging", cwd=CLONE)
    run(BEN, "mlgit merge", cwd=CLONE, expect=1)
    run(BEN, "git push -q origin --delete mlgit/promote/staging/late-arrival", cwd=CLONE)


def refuse_worse_version() -> None:
    """Train a third version, which the gates refuse."""
    chapter("An overfitted version is refused")
    overfitted = "learning_rate=0.3", "max_iter=200", "max_leaf_nodes=127", "min_samples_leaf=5"
    commit_settings(*overfitted, message="Deeper trees, higher learning rate")
    train_and_register()
    run(ANA, "mlgit diff late-arrival@2 late-arrival@3")
    run(ANA, "mlgit promote late-arrival@3 --to staging", expect=1)


def roll_back() -> None:
    """Roll production back to the first version, and keep the second one out."""
    chapter("Roll back in an emergency")
    run(ANA, "mlgit rollback production --reason 'INC-7: warnings come too late'")
    run(BEN, "mlgit approve --comment 'INC-7'")
    run(BEN, "mlgit merge")
    run(ANA, "mlgit apply")
    run(ANA, "mlgit promote late-arrival@2 --to production", expect=1)
    run(ANA, "mlgit status")
    run(ANA, "mlgit log")


def audit() -> None:
    """Verify the whole history, and again after somebody has changed a record."""
    chapter("Audit the whole history")
    run(BEN, "mlgit why production/late-arrival")
    run(BEN, "mlgit audit")
    say("\nIn his clone, Ben types a better metric into the record of version 2.")
    run(BEN, "git pull -q --ff-only", cwd=CLONE)
    record = "models/late-arrival/versions/v2/version.json"
    run(BEN, f'sed -i \'s/"roc_auc": 0.75/"roc_auc": 0.99/\' {record}', cwd=CLONE)
    run(BEN, "git commit -q -a -m 'A better metric'", cwd=CLONE)
    run(BEN, "mlgit validate", cwd=CLONE, expect=1)
    run(BEN, "mlgit audit", cwd=CLONE, expect=1)


def write_project() -> None:
    """Replace the drafts of the template by Ana's files."""
    say("\nAna writes the problem, the data contract, the model and its pipeline (demo/project), and who may sign.")
    for drafted in ("problems", "datasets", "models", "src"):
        shutil.rmtree(REPOSITORY / drafted, ignore_errors=True)
    shutil.copytree(HERE / "project", REPOSITORY, dirs_exist_ok=True)
    (REPOSITORY / ".mlgit/allowed_signers").write_text(ANA.allowed_signer() + BEN.allowed_signer())
    (REPOSITORY / ".mlgit/roles.yaml").write_text(ROLES)


def commit_settings(*settings: str, message: str) -> None:
    """Change training parameters, as a person would in an editor, and commit them."""
    file = REPOSITORY / "params.yaml"
    text = file.read_text()
    for setting in settings:
        key, _, value = setting.partition("=")
        (line,) = [line for line in text.splitlines() if line.strip().startswith(f"{key}:")]
        text = text.replace(line, f"  {key}: {value}")
    file.write_text(text)
    run(ANA, "git diff -U0 params.yaml")
    run(ANA, f"git commit -q -a -m '{message}'")


def train_and_register() -> None:
    """Train, and register the result as a version."""
    run(ANA, "mlgit train")
    run(ANA, "mlgit register")


def promote(number: int, environment: str, *, refuse_own: bool = False) -> None:
    """Promote a version: Ana proposes, Ben approves if production requires it, and it is merged and applied."""
    run(ANA, f"mlgit promote late-arrival@{number} --to {environment}")
    if environment == "production":
        if refuse_own:
            run(ANA, "mlgit approve", expect=1)
            run(ANA, "mlgit merge", expect=1)
        run(BEN, "mlgit approve --comment 'checked the slices'")
    run(BEN if environment == "production" else ANA, "mlgit merge")
    run(ANA, "mlgit apply")


def chapter(title: str) -> None:
    """Print the title of a chapter."""
    say("\n" + bold(f"== {title} ".ljust(WIDTH, "=")))


def run(person: Person, command: str, *, expect: int = 0, cwd: Path | None = None) -> None:
    """Run a command as a person, show it with its output, and stop the demo if its exit code is unexpected."""
    say(f"\n{bold(f'{person.name.lower()}$ {command}')}")
    completed = subprocess.run(["bash", "-c", command], cwd=cwd or REPOSITORY, env=person.environment(), check=False)
    if completed.returncode != expect:
        sys.exit(f"\nThe demo stopped: exit code {completed.returncode} instead of {expect}.")


def say(text: str) -> None:
    """Print and flush, so that the text comes before the output of the next command."""
    print(text, flush=True)


def bold(text: str) -> str:
    """Return bold text on a terminal."""
    return f"\x1b[1m{text}\x1b[0m" if COLOUR else text


if __name__ == "__main__":
    main()
