"""Reduces GitHub's OpenAPI description of its REST API to what mlgit uses, for the fake forge of the tests.

The full description is in the npm package `@octokit/openapi` (MIT). To use a newer one, run in a temporary folder:

    npm pack @octokit/openapi && tar -xzf octokit-openapi-*.tgz
    python -m tools.cut_openapi package

This writes `tests/data/github-openapi.json`, and `github-openapi.NOTICE.md` with the version and the licence. Documentation
(descriptions, examples, links) is removed. What is checked (parameters, bodies, answers) stays, with one correction: to an
`enum` of a nullable value, null is added, as OpenAPI requires and GitHub omits.
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
    f"{_REPO}/activity": ["get"],
    f"{_REPO}/branches/{{branch}}/protection": ["get"],
    f"{_REPO}/check-runs": ["post"],
    f"{_REPO}/collaborators/{{username}}/permission": ["get"],
    f"{_REPO}/commits/{{commit_sha}}/pulls": ["get"],
    f"{_REPO}/commits/{{ref}}/check-runs": ["get"],
    f"{_REPO}/commits/{{ref}}/status": ["get"],
    f"{_REPO}/commits/{{ref}}/statuses": ["get"],
    f"{_REPO}/deployments": ["get", "post"],
    f"{_REPO}/deployments/{{deployment_id}}/statuses": ["get", "post"],
    f"{_REPO}/environments/{{environment_name}}": ["get"],
    f"{_REPO}/environments/{{environment_name}}/deployment-branch-policies": ["get"],
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
"""The operations to keep: methods by path."""

_DOCUMENTATION: Final = {"description", "example", "examples", "externalDocs", "summary", "tags", "title"}


def reduce(full: dict[str, Any]) -> dict[str, Any]:
    """Return a description with only the operations of `OPERATIONS`, and the components that they refer to.

    Args:
        full: an OpenAPI 3.0 document with `$ref`s.

    Raises:
        KeyError: an operation is missing in it.
    """
    paths = {}
    for path, methods in OPERATIONS.items():
        item = full["paths"][path]
        shared = {"parameters": item["parameters"]} if "parameters" in item else {}
        paths[path] = _without_documentation(shared | {method: item[method] for method in methods})
    kept: dict[str, dict[str, Any]] = {}
    pending = _references(paths)
    while pending:
        kind, name = pending.pop()
        if name not in kept.setdefault(kind, {}):
            kept[kind][name] = _without_documentation(full["components"][kind][name], named=False)
            pending |= _references(kept[kind][name])
    components = {kind: dict(sorted(parts.items())) for kind, parts in sorted(kept.items())}
    info = {"title": "The part of GitHub's REST API that mlgit uses", "version": full["info"]["version"]}
    servers = [{"url": "https://api.github.com"}]
    return {"openapi": full["openapi"], "info": info, "servers": servers, "paths": paths, "components": components}


def _without_documentation(part: Any, *, named: bool = False) -> Any:
    """Return a part without documentation. With `named`, keys of a mapping are names such as properties, which all stay."""
    if isinstance(part, list):
        return [_without_documentation(item) for item in part]
    if not isinstance(part, dict):
        return part
    # OpenAPI requires a description of each response.
    is_response = "description" in part and ("content" in part or "headers" in part or set(part) == {"description"})
    kept = {
        key: _without_documentation(value, named=key in {"properties", "responses", "content"} and not named)
        for key, value in part.items()
        if named or (key not in _DOCUMENTATION and not key.startswith("x-"))
    }
    if not named and kept.get("nullable") is True and None not in kept.get("enum", [None]):
        kept["enum"] = [*kept["enum"], None]
    return {"description": "", **kept} if is_response and not named else kept


def _references(part: Any) -> set[tuple[str, str]]:
    """Return kind and name of each component that a part refers to."""
    if isinstance(part, list):
        return {reference for item in part for reference in _references(item)}
    if not isinstance(part, dict):
        return set()
    references = {reference for item in part.values() for reference in _references(item)}
    if isinstance(part.get("$ref"), str):
        _, _, kind, name = part["$ref"].split("/")
        references.add((kind, name))
    return references


def main(package: Path) -> None:
    """Write the reduced description, and the notice, from an unpacked package."""
    full = json.loads((package / "generated" / "api.github.com.json").read_bytes())
    text = json.dumps(reduce(full), separators=(",", ":"), ensure_ascii=False)
    DATA.mkdir(exist_ok=True)
    (DATA / "github-openapi.json").write_text(text + "\n", encoding="utf-8")
    version = json.loads((package / "package.json").read_bytes())["version"]
    licence = (package / "LICENSE").read_text(encoding="utf-8").strip()
    (DATA / "github-openapi.NOTICE.md").write_text(
        f"`github-openapi.json` is a part of the npm package `@octokit/openapi` {version}, which has GitHub's description of"
        f" its REST API; `tools/cut_openapi.py` extracted it. Its licence:\n\n{licence}\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
