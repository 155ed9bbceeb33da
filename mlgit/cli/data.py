"""Add data, and check it against its contract."""

from collections.abc import Sequence
from pathlib import Path

import click

from mlgit.cli.new import draft_text
from mlgit.cli.params import DATASET, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import plural
from mlgit.domain.records.dataset import CsvFormat
from mlgit.edges.project import DataDisk
from mlgit.ops.data import add, check
from mlgit.ops.data.add import DataAdded
from mlgit.ops.data.check import ContractCheck, DataCheck, RuleViolation


@click.group()
def command() -> None:
    """Add data, and check it against its contract.

    DVC stores the data; Git stores a pointer to it, and the contract that it has to meet.

    \b
    Examples:
      mlgit data add ~/downloads/customers.csv
      mlgit data check customers
    """


@command.command("add")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--dataset", metavar="NAME", help="Name of the dataset; by default its folder in datasets/, or the file name."
)
@click.option("--accept", is_flag=True, help="Add the data although it violates its contract.")
@click.option("--yes", is_flag=True, help="Keep the drafted contract without asking.")
@dry_run_option
@session_command
def _add(session: Session, path: Path, dataset: str | None, *, accept: bool, yes: bool, dry_run: bool) -> int:
    """Check a CSV or Parquet file against its contract, and add it to DVC.

    PATH is a file, which is copied to datasets/NAME/ unless it is there, or the name of a dataset whose file is there already.
    If there is no contract yet, it is drafted from all of the data, shown, and kept once you agree. Adding changed data again
    updates the pointer. Data that violates its contract changes nothing.

    \b
    Examples:
      mlgit data add ~/downloads/customers.csv
      mlgit data add export.parquet --dataset customers
      mlgit data add datasets/customers/customers.csv --dry-run
    """
    source = session.directory / path.expanduser()
    outcome = add.run(
        session,
        source,
        name=dataset,
        disk=DataDisk(session.root),
        draft=draft_text,
        accept=accept,
        dry_run=dry_run,
        agree=_agreed if session.may_ask and not yes else lambda _: True,
        on_step=session.step,
    )
    return session.answer(outcome, _show_added)


@command.command("check")
@click.argument("name", required=False, type=DATASET, metavar="[DATASET]")
@session_command
def _check(session: Session, name: str | None) -> int:
    """Check the data in the work tree against its contract, for one dataset or all.

    Exit code 1 means that a contract is broken, or that the data is missing. Values are shown as examples, unless the
    contract classifies the data as personal or sensitive.

    \b
    Examples:
      mlgit data check
      mlgit data check customers
      mlgit data check customers --json
    """
    return session.answer(check.run(session, name, pointers=DataDisk(session.root)), _show_checked)


def _agreed(planned: DataAdded) -> bool:
    """Show a drafted contract, and ask whether to keep it."""
    click.echo(_drafted(planned))
    return click.confirm(f"Add {planned.dataset} with this contract?", default=True)


def _show_added(added: DataAdded) -> str:
    lines = [f"{_action(added)} {added.dataset}: {added.rows:,} rows, {added.size:,} bytes, {added.sha256[:19]}"]
    if added.copied_from and (added.added or added.dry_run):
        lines.append(f"  copied from {text.clean(added.copied_from)}")
    if added.violations:
        lines += _violations(added)
    if added.added or (added.dry_run and not added.exit):
        sign = {"new": "+", "changed": "~", "unchanged": "="}[added.state]
        lines.append(f"  {sign} {added.files[0]}  names the content, which DVC stores in remote {added.remote}")
        if added.contract_drafted:
            lines += [f"  + {added.files[1]}  drafted from the data", "", _drafted(added)]
        elif not added.violations:
            lines.append("It meets its contract.")
    return "\n".join(lines) + text.following(None if added.dry_run else _after(added))


def _action(added: DataAdded) -> str:
    if added.exit:
        return "Would not add" if added.dry_run else "Not added"
    if added.dry_run:
        return "Would add"
    return "Unchanged" if added.state == "unchanged" else "Added"


def _violations(added: DataAdded) -> list[str]:
    changed = "" if added.accepted else " Nothing was changed."
    return [
        "",
        f"It violates its contract, datasets/{added.dataset}/dataset.yaml.{changed}",
        _table(added.violations),
        *map(text.clean, added.notes),
        *([""] if added.accepted else []),
    ]


def _drafted(added: DataAdded) -> str:
    """Show a drafted contract, what it was drafted from, and what to look at."""
    lines = [
        "The draft describes all rows of this data, with some tolerance. Review what must be true of all data: owner,",
        "classification and source; limits and allowed values; keys, the columns that identify a row.",
    ]
    if added.csv is not None:
        lines.append(_written(added.csv))
    width = max(len(name) for name in added.columns)
    lines += [f"  {text.clean(name):{width}}  {text.clean(rule)}" for name, rule in added.columns.items()]
    return "\n".join([*lines, *(f"Note: {text.clean(note)}" for note in added.notes)])


def _written(csv: CsvFormat) -> str:
    delimiter = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "vertical bar"}[csv.delimiter]
    decimal = {".": "point", ",": "comma"}[csv.decimal]
    return f"Read as CSV: encoding {csv.encoding}, quote {csv.quote}, delimiter {delimiter}, decimal {decimal}."


def _after(added: DataAdded) -> str | None:
    contract = f"datasets/{added.dataset}/dataset.yaml"
    if added.exit and added.violations:
        return f"correct the data or {contract}, then add it again; or add it as it is with --accept"
    if added.exit:
        return None
    if added.violations:
        return f"correct {contract}: as long as the data violates it, the gate data-contract fails"
    if added.contract_drafted:
        return f"review {contract}, then mlgit data check {added.dataset}"
    if added.state == "unchanged":
        return None
    return f"git add datasets/{added.dataset} && git commit -m 'Update data of {added.dataset}'"


def _show_checked(outcome: DataCheck) -> str:
    parts = [_show_check(result) for result in outcome.checks]
    failed = [result for result in outcome.checks if not result.holds]
    return "\n\n".join(parts) + text.following(_remedy(failed[0]) if failed else _still_to_add(outcome.checks))


def _show_check(result: ContractCheck) -> str:
    if result.rows is None:
        return f"{text.word('error')} {result.dataset}: {result.file} is missing"
    note = {"changed": "; changed since it was added", "untracked": "; not added yet"}.get(result.state, "")
    facts = f"{result.dataset}: {plural(result.rows, 'row')} in {result.file}{note}"
    if not result.violations:
        return f"{text.word('pass')}  {facts}"
    return (
        f"{text.word('fail')}  {facts}, {plural(len(result.violations), 'rule')} violated\n{_table(result.violations)}"
    )


def _table(violations: Sequence[RuleViolation]) -> str:
    rows = [
        (rule.column or "(table)", rule.rule, f"{rule.count:,}", ", ".join(rule.examples) or "-", rule.message)
        for rule in violations
    ]
    return text.table(("COLUMN", "RULE", "ROWS", "EXAMPLES", "PROBLEM"), rows)


def _remedy(result: ContractCheck) -> str:
    if result.state == "never-added":
        return f"mlgit data add FILE --dataset {result.dataset}"
    if result.state == "missing":
        return f"dvc pull {result.file}.dvc"
    return f"correct the data or datasets/{result.dataset}/dataset.yaml"


def _still_to_add(results: Sequence[ContractCheck]) -> str | None:
    return next((f"mlgit data add {result.dataset}" for result in results if result.state != "unchanged"), None)
