"""A brief as sections, tables and sentences, in the order in which a reviewer wants them; two modules write them out.

Everything here is plain text, whoever wrote it: `brief_markdown` and `brief_text` make all of it harmless, each in its way.
Lists begin with what matters most, so that a long one can be cut.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from mlgit.cli.render import text
from mlgit.cli.render.brief_blocks import (
    Block,
    Command,
    Items,
    Paragraph,
    Part,
    Section,
    Table,
    Title,
    few,
    minute,
    number,
)
from mlgit.cli.render.brief_since import changes
from mlgit.domain.brief import Measured, SliceTold
from mlgit.domain.gates.common import format_level
from mlgit.domain.records.environment import ChangeWindow, WeeklyHours
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.errors import Finding
from mlgit.ops.promotion.approvals import VoteShown
from mlgit.ops.promotion.brief import Brief, Effect, HoldTold

_WHICH: Final = {"best": "best", "worst": "weakest"}
_EVIDENCE: Final = {
    "none": "no evidence of approvals is asked for, so none is counted",
    "signed": "signatures on the ledger count",
    "forge": "reviews at the forge count, and signatures on the ledger",
}


def document(brief: Brief) -> Iterator[Part]:
    """Yield a brief, part by part."""
    yield Title(_title(brief))
    yield Paragraph(_standing(brief), strong=True)
    primary = next((one for one in brief.measures if one.is_primary), None)
    if primary is not None:
        yield Paragraph(_headline(brief, primary), strong=True)
    yield Paragraph(_why(brief))
    if brief.against or brief.timing.waits:
        yield Section("What stands against it", [Items([_said(one) for one in (*brief.against, *brief.timing.waits)])])
    yield from _quality(brief)
    yield from _gates(brief)
    yield from changes(brief)
    yield Section("Approvals", list(_approvals(brief)))
    yield Section("When", [Items(list(_when(brief)))])
    yield Section("What a merge did" if brief.state == "merged" else "What a merge will do", list(_effect(brief)))
    yield Section("The way back", list(_back(brief)))
    yield Section("What the decision rests on", [Table(("What", "Which"), list(_rests(brief)))], folded=True)


# The first lines


def _title(brief: Brief) -> str:
    if brief.candidate is None:
        return f"Take {few(brief.effect.leaving) or brief.model} out of {brief.environment}"
    if brief.change == "rollback":
        return f"Roll {brief.environment} back to {brief.candidate}"
    if brief.change == "recertify":
        return f"Agree again to {brief.candidate} in {brief.environment}"
    as_what = "" if brief.slot == "champion" else f", as {brief.slot}"
    return f"{brief.change.capitalize()} {brief.candidate} to {brief.environment}{as_what}"


def _standing(brief: Brief) -> str:
    missing = "; ".join(brief.approvals.missing)
    lacks = f" It lacks {missing}." if missing else ""
    if brief.state == "merged":
        held = "held" if brief.stands == "ready" else "did not hold"
        return f"Merged. As of its merge, {minute(brief.at)}, it {held}.{lacks}"
    earliest = brief.timing.earliest
    when = f", until {minute(earliest)} if nothing happens meanwhile" if earliest else ""
    said = {
        "ready": "Nothing stands against it: it can be merged.",
        "lacking": f"Nothing stands against it but approvals.{lacks}",
        "waiting": f"It has to wait{when}.{lacks}",
        "refused": f"It cannot be merged as it is.{lacks}",
    }
    return said[brief.stands]


def _headline(brief: Brief, one: Measured) -> str:
    if one.champion is None or brief.champion is None:
        return f"{one.metric} {number(one.candidate)}; there is nothing to compare it with."
    if brief.champion == brief.candidate:
        return f"{one.metric} {number(one.candidate)}; {brief.champion} stays champion."
    against = f"{one.metric} {number(one.candidate)} against {number(one.champion)} of {brief.champion}"
    if one.gain is None:
        return f"{against}; they were not tested on the same rows, so the two cannot be compared."
    return f"{against}: {_gain(one)}, {_better(one)}."


def _why(brief: Brief) -> str:
    by = f" by {few(brief.proposed_by)}" if brief.proposed_by else ""
    ticket = f", ticket {brief.ticket}" if brief.ticket else ""
    runs = f"{brief.champion} is champion until then" if brief.champion else "there is no champion yet"
    stays = brief.state == "merged" or brief.change == "recertify"
    now = "" if stays else f" In {brief.environment}, {runs}."
    why = f" Why now: {brief.reason}" if brief.reason else " No reason was given."
    return f"Proposed {minute(brief.proposed_at)}{by}{ticket}.{now}{why}"


# How good it is


def _quality(brief: Brief) -> Iterator[Part]:
    if not brief.measures:
        return
    header = ("Metric", brief.champion or "Champion", brief.candidate or "Candidate", "Gain", "Interval", "Judged by")
    rows = [
        (
            f"{one.metric} (primary)" if one.is_primary else one.metric,
            number(one.champion),
            number(one.candidate),
            "-" if one.gain is None else f"{one.gain:+.4f}",
            _interval(one) or "-",
            f"{one.gate}, {one.test.partition(',')[0]}" if one.gate and one.test else one.gate or "the records",
        )
        for one in brief.measures
    ]
    blocks: list[Block] = [Table(header, rows)]
    if brief.same_rows is False:
        blocks.append(Paragraph("The test rows are not the champion's; only what a gate compared can be compared."))
    if brief.slices:
        blocks.append(Table(("Slice", "Which", "Rows", header[1], header[2], "Gain"), list(_slices(brief.slices))))
    on = "" if brief.test_rows is None else f", on {brief.test_rows:,} test rows"
    yield Section(f"How good it is{on}", blocks)


def _slices(slices: Sequence[SliceTold]) -> Iterator[tuple[str, ...]]:
    for one in slices:
        which = _WHICH.get(one.which) or ("largest loss" if (one.gain or 0.0) < 0 else "smallest gain")
        gain = "-" if one.gain is None else f"{one.gain:+.4f}"
        by = f" ({_interval(one)}, {one.gate})" if one.low is not None else ""
        yield one.slice, which, f"{one.rows:,}", number(one.champion), number(one.candidate), gain + by


# Gates


def _gates(brief: Brief) -> Iterator[Part]:
    if brief.report is None:
        yield Section("Gates", [Paragraph(f"None were judged, as for every {brief.change}.")])
        return
    passed = [one for one in brief.gates if one.outcome == "pass"]
    others = sorted((one for one in brief.gates if one.outcome != "pass"), key=_weight)
    counted = {word: sum(one.outcome == word for one in brief.gates) for word in dict.fromkeys(_outcomes(brief.gates))}
    said = ", ".join(f"{number} {word}" for word, number in counted.items()) or "no gate was judged"
    when = f", judged {minute(brief.judged_at)}" if brief.judged_at else ""
    again = "" if brief.state == "merged" else " A merge judges them again."
    blocks: list[Block] = [Paragraph(f"By policy {brief.policy}: {said}{when}.{again}")]
    if others:
        blocks.append(_table(others))
    if brief.waivers:
        rows = [
            (one.name, ", ".join(one.waives), one.incident, few(one.people), few(one.agreed), minute(one.expires))
            for one in brief.waivers
        ]
        blocks.append(Table(("Override", "Waives", "Incident", "People", "Agreed", "Until"), rows))
    yield Section("Gates", blocks)
    if passed:
        yield Section(
            f"{text.plural(len(passed), 'gate that passes', 'gates that pass')}", [_table(passed)], folded=True
        )


def _table(verdicts: Sequence[GateVerdict]) -> Table:
    def answer(one: GateVerdict) -> str:
        return f"{one.outcome}, warns only" if one.severity == "warn" and one.outcome != "pass" else one.outcome

    rows = [
        (one.gate, answer(one), one.message + (f"; {one.fix}" if one.blocks and one.fix else "")) for one in verdicts
    ]
    return Table(("Gate", "Answer", "Why"), rows)


def _weight(one: GateVerdict) -> tuple[int, str]:
    order = 0 if one.blocks else 1 if one.outcome == "waived" else 3 if one.outcome == "skip" else 2
    return order, one.gate


def _outcomes(verdicts: Sequence[GateVerdict]) -> list[str]:
    return [one.outcome for one in verdicts]


# People and time


def _approvals(brief: Brief) -> Iterator[Block]:
    found = brief.approvals
    left_out = ", ".join(found.excludes) or "nobody"
    yield Paragraph(
        f"By policy {brief.policy}, {_EVIDENCE.get(found.evidence, found.evidence)}; it leaves out {left_out}."
    )
    rows = [
        (
            need.role or "anybody",
            f"{len(need.counted)} of {need.needed}",
            few(need.counted) or "-",
            few(need.may) or "-",
        )
        for need in found.needs
    ]
    if rows:
        yield Table(("As", "Counted", "By", "Who else may"), rows)
    if found.standing is not None:
        yield Paragraph(f"It rests on standing approval {found.standing}: who signed that has agreed to this.")
    said = [*(_word(one) for one in found.counted if one.comment), *(_word(one) for one in found.uncounted)]
    if said:
        yield Items(said)


def _word(one: VoteShown) -> str:
    verdict = {"approve": "approves", "reject": "rejects"}.get(one.verdict, one.verdict)
    why = ""
    if one.reason:
        changed = f" ({', '.join(one.changed)})" if one.changed else ""
        why = f"; does not count: {one.reason}{changed}"
    return f"{one.person} {verdict}, {minute(one.at)}{f': {one.comment}' if one.comment else ''}{why}"


def _when(brief: Brief) -> Iterator[str]:
    timing = brief.timing
    if timing.soak_in is not None:
        until = f"it is until {minute(timing.soaked_at)}" if timing.soaked_at else "it is not healthy there yet"
        yield f"It has to be healthy in {timing.soak_in} for {timing.soak_for}: {until}."
    for window in timing.windows:
        yield from _window(window)
    yield from (_held(one) for one in brief.holds)
    if timing.earliest == brief.at:
        yield "There is nothing to wait for." if brief.state == "open" else "There was nothing to wait for."
    elif timing.earliest is not None:
        yield f"From {minute(timing.earliest)} on there is nothing to wait for, if nothing happens meanwhile."
    else:
        yield "Nobody can say yet when: something has to happen first."


def _window(window: ChangeWindow) -> Iterator[str]:
    for word, span in (("Changes are let in only", window.allow), ("Changes are kept out", window.deny)):
        if span is not None:
            yield f"{word} {_span(span)}."


def _span(span: WeeklyHours) -> str:
    also = ", rollbacks too" if span.rollback else ""
    return f"{', '.join(span.days)} from {span.from_} to {span.to or '24:00'} {span.zone}{also}"


def _held(one: HoldTold) -> str:
    stops = "stops it" if one.stops else "does not stop it"
    until = f", until {minute(one.until)}" if one.until else ""
    return f"Hold {one.name} {stops}{until}: {one.reason} ({one.by})"


# What it does, and how to undo it


def _effect(brief: Brief) -> Iterator[Block]:
    yield Items(list(_deeds(brief, brief.effect)))
    yield Paragraph(f"It changes {text.plural(len(brief.effect.files), 'file')}:")
    yield Items([f"{mark} {path}" for path, mark in brief.effect.files.items()])


def _deeds(brief: Brief, effect: Effect) -> Iterator[str]:
    for one in effect.slots:
        share = (
            "is asked and never answers" if one.slot == "shadow" else f"answers {one.traffic} per cent of the requests"
        )
        yield f"In {brief.environment}, {one.version} ({one.slot}) {share}."
    if effect.leaving:
        yield f"{few(effect.leaving)} runs there no longer."
    if effect.ramp is not None:
        steps = ", ".join(map(str, effect.ramp.steps))
        yield f"It takes over step by step: {steps} per cent of the requests, {effect.ramp.interval} each."
    if effect.holds:
        yield f"A hold comes along, so that nothing brings it back unasked: {effect.holds}"
    by = "somebody else" if effect.target == "none" else f"mlgit apply, into a target of the kind {effect.target}"
    yield f"Nothing runs by the merge alone: it is brought there by {by}."


def _back(brief: Brief) -> Iterator[Block]:
    back = brief.back
    if back is not None:
        yield Paragraph(f"{back.to} was last seen to run well there at {minute(back.seen_at)}. To go back to it:")
        yield Command(back.command)
    elif brief.change == "recertify":
        yield Paragraph("Nothing changes but the approvals, so there is nothing to undo.")
    elif brief.change == "rollback":
        yield Paragraph(f"This is one. {brief.champion} comes back by a promotion, once nothing holds it any more.")
    else:
        yield Paragraph(
            f"Nothing was seen to run well in {brief.environment} so far, so there is nothing to go back to."
        )


def _rests(brief: Brief) -> Iterator[tuple[str, str]]:
    yield "decision", brief.decision
    yield "promotion", brief.promotion
    yield "gate report", brief.report or "none"
    yield "policy", brief.policy
    yield "rules of commit", brief.onto
    yield "commit", brief.head


# Words


def _said(found: Finding) -> str:
    why = f": {found.why}" if found.why else ""
    fix = f". Way out: {found.fix}" if found.fix else ""
    return f"{found.id}: {found.message}{why}{fix}"


def _gain(one: Measured) -> str:
    interval = _interval(one)
    return f"{one.gain:+.4f}" + (f" ({interval})" if interval else "")


def _better(one: Measured) -> str:
    gain = one.gain or 0.0
    if one.low is not None and one.high is not None:
        return "surely better" if one.low > 0 else "surely worse" if one.high < 0 else "which may be chance"
    return "better" if gain > 0 else "worse" if gain < 0 else "neither better nor worse"


def _interval(one: Measured | SliceTold) -> str:
    if one.low is None or one.high is None or one.level is None:
        return ""
    return f"{format_level(one.level)}: {one.low:+.4f} to {one.high:+.4f}"
