"""Show the main job of mlgit, end to end, on real data, in a repository of its own.

Every line that follows a prompt is the output of the command that stands there; nothing is canned. Ana trains and proposes,
Ben reviews; each has an SSH key that is made here. The repository is left for exploring.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SCENE = ROOT / "build" / "demo"
REPOSITORY = SCENE / "flights"
CLONE = SCENE / "bens-clone"
WIDTH = 110
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


class Person:
    """Somebody at their own machine: a name for Git, and a key to sign with."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.email = f"{name.lower()}@acme.example"
        self.key = SCENE / "keys" / name.lower()

    def make_key(self) -> None:
        """Make an ed25519 key without a passphrase, as a demo may."""
        self.key.parent.mkdir(parents=True, exist_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.email, "-f", str(self.key)]
        subprocess.run(command, check=True)

    def signer(self) -> str:
        """Return the line that lets this person sign, for `.mlgit/allowed_signers`."""
        kind, key = self.key.with_suffix(".pub").read_text().split()[:2]
        return f'{self.email} namespaces="git,mlgit-approval" {kind} {key}\n'

    def environment(self) -> dict[str, str]:
        """Return the environment of this person's shell: their Git settings, and nothing of whoever runs the demo."""
        settings = {
            "user.name": self.name,
            "user.email": self.email,
            "user.signingkey": str(self.key),
            "gpg.format": "ssh",
            "gpg.ssh.allowedSignersFile": str(REPOSITORY / ".mlgit/allowed_signers"),
            "init.defaultBranch": "main",
            "core.autocrlf": "false",
        }
        pairs = {
            f"GIT_CONFIG_{part}_{n}": text
            for n, item in enumerate(settings.items())
            for part, text in zip(("KEY", "VALUE"), item, strict=True)
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_"))}
        return (
            kept
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
  ana: {{emails: [{ANA.email}], roles: [trainer]}}
  ben: {{emails: [{BEN.email}], roles: [reviewer]}}
"""


def main() -> None:
    """Tell the story."""
    began = time.monotonic()
    shutil.rmtree(SCENE, ignore_errors=True)
    SCENE.mkdir(parents=True)
    for person in (ANA, BEN):
        person.make_key()
    begin_a_project()
    bring_a_first_model()
    bring_a_better_model()
    refuse_a_worse_model()
    go_back()
    audit()
    say(f"\nDone in {time.monotonic() - began:.0f} s. The repository is left for exploring:\n")
    say(f"  cd {REPOSITORY}")
    say(f"  export PATH={Path(sys.executable).parent}:$PATH")
    say("  mlgit show late-arrival@2        # what it was made from, and how good it is")
    say("  mlgit explain beats-champion     # the gate that refused version 3")
    say("  mlgit lineage late-arrival@2     # from a version to data, code and people")
    say("  mlgit audit --format html --output audit.html")
    say("  git log mlgit-ledger --stat      # the approvals and what was seen to run")
    say("\nFor your own data: mlgit init my-project")


def begin_a_project() -> None:
    """Make a project in an empty folder, with the flights as its data."""
    chapter("A project, in an empty folder")
    run(ANA, "git init -q -b main flights", cwd=SCENE)
    run(
        ANA,
        "mlgit init flights --template bring-your-own --owner @acme/operations --remote ../storage --yes",
        cwd=SCENE,
    )
    write_project()
    run(ANA, f"mlgit data add {os.path.relpath(HERE / 'data/flights-2013.parquet', REPOSITORY)} --dataset flights")
    run(ANA, "mlgit validate")
    run(ANA, "git add -A")
    run(ANA, "git commit -q -m 'Late arrivals: problem, contract, model and pipeline'")


def bring_a_first_model() -> None:
    """Train a first version, and bring it to production with a second person's word."""
    chapter("A first model: a plain logistic regression")
    train_and_register()
    promote(1, "staging")
    promote(1, "production", refuse_own=True)
    run(ANA, "mlgit status")


def bring_a_better_model() -> None:
    """Train a second version; what was judged by other rules, or on another base, has to be judged again."""
    chapter("A better model has to prove it, on the same rows")
    commit_settings("kind=boosted", message="Boosted trees instead of a logistic regression")
    train_and_register()
    run(BEN, f"git clone -q flights {CLONE.name}", cwd=SCENE)
    promote(2, "staging")
    run(ANA, "mlgit promote late-arrival@2 --to production")

    chapter("What was judged by other rules, or on another base, is not merged")
    run(BEN, "sed -i 's/margin: 0.0$/margin: 0.01/' policies/production.yaml")
    run(BEN, "git diff -U0 policies")
    run(BEN, "git commit -q -a -m 'Better means by one point at least'")
    run(BEN, "mlgit approve", expect=1)
    promote(2, "production")
    say("\nBen has a clone from before version 2 was in staging, and proposes it there as well.")
    run(BEN, "mlgit promote late-arrival@2 --to staging", cwd=CLONE)
    run(BEN, "mlgit merge", cwd=CLONE, expect=1)
    run(BEN, "git push -q origin --delete mlgit/promote/staging/late-arrival", cwd=CLONE)


def refuse_a_worse_model() -> None:
    """Train a third version, which the gates refuse."""
    chapter("A model that only looks good in training is refused")
    overfitted = "learning_rate=0.3", "max_iter=200", "max_leaf_nodes=127", "min_samples_leaf=5"
    commit_settings(*overfitted, message="Deeper trees, faster steps")
    train_and_register()
    run(ANA, "mlgit diff late-arrival@2 late-arrival@3")
    run(ANA, "mlgit promote late-arrival@3 --to staging", expect=1)


def go_back() -> None:
    """Take production back to the first version, and keep the second one out."""
    chapter("At night, back to what ran well before")
    run(ANA, "mlgit rollback production --reason 'INC-7: warnings come too late'")
    run(BEN, "mlgit approve --comment 'INC-7'")
    run(BEN, "mlgit merge")
    run(ANA, "mlgit apply")
    run(ANA, "mlgit promote late-arrival@2 --to production", expect=1)
    run(ANA, "mlgit status")
    run(ANA, "mlgit log")


def audit() -> None:
    """Check all of it again, from a clone; and once more after somebody has laid hands on a record."""
    chapter("Years later, from a clone: is all of it so?")
    run(BEN, "mlgit why production/late-arrival")
    run(BEN, "mlgit audit")
    say("\nIn his clone, Ben types a better number into the record of version 2.")
    run(BEN, "git pull -q --ff-only", cwd=CLONE)
    record = "models/late-arrival/versions/v2/version.json"
    run(BEN, f'sed -i \'s/"roc_auc": 0.75/"roc_auc": 0.99/\' {record}', cwd=CLONE)
    run(BEN, "git commit -q -a -m 'A better number'", cwd=CLONE)
    run(BEN, "mlgit validate", cwd=CLONE, expect=1)
    run(BEN, "mlgit audit", cwd=CLONE, expect=1)


def write_project() -> None:
    """Put Ana's own files in the place of those that the template drafted."""
    say("\nAna writes the problem, the data contract, the model and its pipeline (demo/project), and who may sign.")
    for drafted in ("problems", "datasets", "models", "src"):
        shutil.rmtree(REPOSITORY / drafted, ignore_errors=True)
    shutil.copytree(HERE / "project", REPOSITORY, dirs_exist_ok=True)
    (REPOSITORY / ".mlgit/allowed_signers").write_text(ANA.signer() + BEN.signer())
    (REPOSITORY / ".mlgit/roles.yaml").write_text(ROLES)


def commit_settings(*settings: str, message: str) -> None:
    """Change parameters of the training, as a person would in an editor, and commit them."""
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
    """Train what the files say, and make a version of it."""
    run(ANA, "mlgit train")
    run(ANA, "mlgit register")


def promote(number: int, environment: str, *, refuse_own: bool = False) -> None:
    """Take a version into an environment: Ana proposes, Ben agrees where somebody must, and it is merged and applied."""
    run(ANA, f"mlgit promote late-arrival@{number} --to {environment}")
    if environment == "production":
        if refuse_own:
            run(ANA, "mlgit approve", expect=1)
            run(ANA, "mlgit merge", expect=1)
        run(BEN, "mlgit approve --comment 'looked at the slices'")
    run(BEN if environment == "production" else ANA, "mlgit merge")
    run(ANA, "mlgit apply")


def chapter(title: str) -> None:
    """Begin a part of the story."""
    say("\n" + bold(f"== {title} ".ljust(WIDTH, "=")))


def run(person: Person, command: str, *, expect: int = 0, cwd: Path | None = None) -> None:
    """Run a command as a person, show it with its output, and stop if it does not end as the story says."""
    say(f"\n{bold(f'{person.name.lower()}$ {command}')}")
    ended = subprocess.run(["bash", "-c", command], cwd=cwd or REPOSITORY, env=person.environment(), check=False)
    if ended.returncode != expect:
        sys.exit(f"\nThe demo stopped: the command ended with {ended.returncode}, and {expect} was expected.")


def say(text: str) -> None:
    """Print at once, so that it stands before what a command prints."""
    print(text, flush=True)


def bold(text: str) -> str:
    """Return text that stands out on a terminal."""
    return f"\x1b[1m{text}\x1b[0m" if COLOUR else text


if __name__ == "__main__":
    main()
