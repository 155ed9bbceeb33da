"""What to suggest for a command that does not exist: by what the word means first, then by how it is spelt."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

MEANINGS: Final[dict[str, Sequence[str]]] = {
    "list ls models versions registry": ("status", "show"),
    "ps deployments environments": ("status",),
    "info describe get inspect view": ("show",),
    "create start setup new-project": ("init", "new"),
    "install": ("doctor",),
    "run fit experiment experiments exp repro reproduce pipeline": ("train",),
    "add import push dvc dataset datasets": ("data",),
    "save publish log-model package version": ("register",),
    "deploy release serve rollout sync": ("apply", "promote"),
    "transition stage alias tag propose request pr": ("promote",),
    "evaluate eval score test metrics compare": ("gate", "diff"),
    "drift monitor watch health reconcile": ("observe",),
    "review summary": ("brief", "approve"),
    "accept sign ok": ("approve",),
    "reviews pending inbox": ("queue", "approvals"),
    "cancel abort close": ("withdraw", "hold"),
    "revert undo restore back": ("rollback",),
    "freeze lock pause block stop": ("hold",),
    "waive exception skip force emergency": ("override",),
    "history events changelog": ("log",),
    "blame reason explain-why": ("why",),
    "provenance trace graph": ("lineage",),
    "check lint fsck": ("validate", "doctor"),
    "verify compliance report": ("audit",),
    "config settings login diagnose": ("doctor",),
    "rules": ("policy",),
    "help docs man": ("explain",),
}
"""Words that people try first, as other registries and Git call it, and the commands that do it."""

_BY_WORD: Final = {word: commands for words, commands in MEANINGS.items() for word in words.split()}


def suggest(word: str, commands: Iterable[str]) -> list[str]:
    """Return the commands that somebody may have meant, most likely first; none if there is no near one.

    Args:
        word: what was typed.
        commands: the commands that exist.
    """
    existing = list(commands)
    typed = word.lower().replace("_", "-")
    by_meaning = [command for command in _BY_WORD.get(typed, ()) if command in existing]
    if by_meaning:
        return by_meaning
    by_spelling = get_close_matches(typed, existing, n=1)
    if by_spelling:
        return by_spelling
    near = get_close_matches(typed, _BY_WORD, n=1, cutoff=0.75)
    return [command for command in _BY_WORD[near[0]] if command in existing] if near else []
