"""Questions to GitHub's own parser and evaluator, which `make node` builds from tools/node."""

import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

BUILT = Path(__file__).parents[2] / "tools/node/built/evaluate.cjs"


class Failed(Exception):
    """GitHub would refuse the file or the expression."""


class Expression(msgspec.Struct, frozen=True):
    """An expression in a workflow, without its `${{ }}`."""

    text: str


class Node:
    """One process for many questions."""

    def __init__(self) -> None:
        command = [shutil.which("node") or "node", str(BUILT)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()

    def parse(self, workflow: str) -> Any:
        """Return a workflow as GitHub reads it, expressions as `Expression`.

        Raises:
            Failed: it is no workflow.
        """
        return _with_expressions(self._ask(parse=workflow))

    def evaluate(self, expression: str, context: dict[str, Any], status: str = "success") -> Any:
        """Return what an expression is in a context.

        Raises:
            Failed: it is no expression, or names something that is not there.
        """
        return self._ask(evaluate=expression, context=context, status=status)

    def _ask(self, **question: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["value"]


def _with_expressions(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_expressions(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"$"}:
        return Expression(value["$"])
    return {key: _with_expressions(one) for key, one in value.items()}
