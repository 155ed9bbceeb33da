"""Cuts GitHub's own description of its REST API to what mlgit uses, for the fake forge of the tests.

The whole comes from the npm package `@octokit/openapi` (MIT). To cut a newer one, in a folder for scratch:

    npm pack @octokit/openapi && tar -xzf octokit-openapi-*.tgz
    python -m tools.cut_openapi package

writes `tests/data/github-openapi.json` and, beside it, `github-openapi.NOTICE.md` with the version and the licence. What is for
people (descriptions, examples, links) is dropped; what is checked (parameters, bodies, answers) stays as it is, but for one
thing: where a value may be null, and one of a list, the list is given the null that OpenAPI asks for there and GitHub leaves out.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

DATA: Final = Path(__file__).parents[1] / "tests" / "data"

_REPO = "/repos/{owner}/{repo}"
OPERATIONS: Final = {
    "/user": ["get"],
    _REPO: ["get"],
    f"{_REPO}/branches/{{branch}}/protection": ["get"],
    f"{_REPO}/check-runs": ["post"],
    f"{_REPO}/collaborators/{{username}}/permission": ["get"],
    f"{_REPO}/commits/{{commit_sha}}/pulls": ["get"],
    f"{_REPO}/commits/{{ref}}/check-runs": ["get"],
    f"{_REPO}/commits/{{ref}}/status": ["get"],
    f"{_REPO}/commits/{{ref}}/statuses": ["get"],
    f"{_REPO}/deployments": ["get", "post"],
    f"{_REPO}/deployments/{{deployment_id}}/statuses": ["get", "post"],
    f"{_REPO}/issues": ["get", "post"],
    f"{_REPO}/issues/{{issue_number}}": ["get", "patch"],
    f"{_REPO}/issues/{{issue_number}}/comments": ["get", "post"],
    f"{_REPO}/issues/{{issue_number}}/labels": ["get", "post"],
    f"{_REPO}/issues/comments/{{comment_id}}": ["patch"],
    f"{_REPO}/pulls": ["get", "post"],
    f"{_REPO}/pulls/{{pull_number}}": ["get", "patch"],
    f"{_REPO}/pulls/{{pull_number}}/merge": ["put"],
    f"{_REPO}/pulls/{{pull_number}}/reviews": ["get", "post"],
    f"{_REPO}/pulls/{{pull_number}}/reviews/{{review_id}}/dismissals": ["put"],
    f"{_REPO}/rules/branches/{{branch}}": ["get"],
    f"{_REPO}/rulesets": ["get"],
    f"{_REPO}/rulesets/{{ruleset_id}}": ["get"],
    f"{_REPO}/statuses/{{sha}}": ["post"],
}
"""What is kept: methods by path."""

_FOR_PEOPLE: Final = {"description", "example", "examples", "externalDocs", "summary", "tags", "title"}


def cut(whole: dict[str, Any]) -> dict[str, Any]:
    """Return a description with the operations of `OPERATIONS`, and the components that they refer to.

    Args:
        whole: an OpenAPI 3.0 document in which `$ref`s stand.

    Raises:
        KeyError: it lacks one of the operations.
    """
    paths = {}
    for path, methods in OPERATIONS.items():
        item = whole["paths"][path]
        shared = {"parameters": item["parameters"]} if "parameters" in item else {}
        paths[path] = _checked(shared | {method: item[method] for method in methods})
    kept: dict[str, dict[str, Any]] = {}
    waiting = _references(paths)
    while waiting:
        kind, name = waiting.pop()
        if name not in kept.setdefault(kind, {}):
            kept[kind][name] = _checked(whole["components"][kind][name], named=False)
            waiting |= _references(kept[kind][name])
    components = {kind: dict(sorted(parts.items())) for kind, parts in sorted(kept.items())}
    info = {"title": "The part of GitHub's REST API that mlgit uses", "version": whole["info"]["version"]}
    servers = [{"url": "https://api.github.com"}]
    return {"openapi": whole["openapi"], "info": info, "servers": servers, "paths": paths, "components": components}


def _checked(part: Any, *, named: bool = False) -> Any:
    """Return a part without what is for people. With `named`, the keys of a mapping are names somebody chose: all stay."""
    if isinstance(part, list):
        return [_checked(one) for one in part]
    if not isinstance(part, dict):
        return part
    # A description is asked of every answer, and an operation without its answers is none.
    answer = "description" in part and ("content" in part or "headers" in part or set(part) == {"description"})
    kept = {
        key: _checked(value, named=key in {"properties", "responses", "content"} and not named)
        for key, value in part.items()
        if named or (key not in _FOR_PEOPLE and not key.startswith("x-"))
    }
    if not named and kept.get("nullable") is True and None not in kept.get("enum", [None]):
        kept["enum"] = [*kept["enum"], None]
    return {"description": "", **kept} if answer and not named else kept


def _references(part: Any) -> set[tuple[str, str]]:
    """Return kind and name of each component that a part refers to."""
    if isinstance(part, list):
        return {found for one in part for found in _references(one)}
    if not isinstance(part, dict):
        return set()
    found = {found for one in part.values() for found in _references(one)}
    if isinstance(part.get("$ref"), str):
        _, _, kind, name = part["$ref"].split("/")
        found.add((kind, name))
    return found


def main(package: Path) -> None:
    """Write the cut, and the notice, from an unpacked package."""
    whole = json.loads((package / "generated" / "api.github.com.json").read_bytes())
    text = json.dumps(cut(whole), separators=(",", ":"), ensure_ascii=False)
    DATA.mkdir(exist_ok=True)
    (DATA / "github-openapi.json").write_text(text + "\n", encoding="utf-8")
    version = json.loads((package / "package.json").read_bytes())["version"]
    licence = (package / "LICENSE").read_text(encoding="utf-8").strip()
    (DATA / "github-openapi.NOTICE.md").write_text(
        f"`github-openapi.json` is a part of the npm package `@octokit/openapi` {version}, which holds GitHub's description of"
        f" its REST API; `tools/cut_openapi.py` cut it out. Its licence:\n\n{licence}\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
