"""GitHub's OpenAPI description: requests and responses are validated against it, and responses are completed from it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.responses.exceptions import ResponseNotFound
from openapi_core.testing import MockRequest, MockResponse

_FILE = Path(__file__).parents[1] / "data" / "github-openapi.json"
_HOST = "https://api.github.com"
_MADE = {"date-time": "2026-03-01T12:00:00Z", "uri": f"{_HOST}/made-up", "email": "made-up@example.com"}
_PLAIN = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": []}

Schema = dict[str, Any]


class Contract:
    """The cut description, in memory."""

    def __init__(self) -> None:
        self._document = json.loads(_FILE.read_bytes())
        self._checks = OpenAPI.from_dict(self._document, config=Config(spec_validator_cls=None))

    def faults(
        self, method: str, path: str, query: dict[str, str], sent: bytes, status: int, answer: bytes
    ) -> list[str]:
        """Return what is wrong with a request and with its answer.

        A refused request may be anything. Some refusals that GitHub gives are not described for every path: those go unchecked.
        """
        request = MockRequest(_HOST, method.lower(), path, args=query, data=sent or None)
        found = []
        try:
            if status < 400:
                self._checks.validate_request(request)
        except OpenAPIError as error:
            found.append(f"request {method} {path}: {_words(error)}")
        try:
            self._checks.validate_response(request, MockResponse(answer, status))
        except ResponseNotFound as error:
            found += [f"answer to {method} {path}: {error}"] if status < 400 else []
        except OpenAPIError as error:
            found.append(f"answer {status} to {method} {path}: {_words(error)}")
        return found

    def complete(self, method: str, template: str, status: int, answer: Any) -> Any:
        """Return an answer with whatever the description asks for beyond what it has: null, empty or made up."""
        operation = self._document["paths"][template][method.lower()]
        found = self._resolved(operation["responses"][str(status)])
        content = found.get("content", {}).get("application/json")
        return self._filled(content["schema"], answer) if content else answer

    def _resolved(self, part: Schema) -> Schema:
        while "$ref" in part:
            _, _, kind, name = part["$ref"].split("/")
            part = self._document["components"][kind][name]
        return part

    def _filled(self, schema: Schema, value: Any) -> Any:
        schema = self._resolved(schema)
        if isinstance(value, list):
            return [self._filled(schema.get("items", {}), one) for one in value]
        if not isinstance(value, dict):
            return value
        for part in schema.get("allOf", []):
            value = self._filled(part, value)
        choices = [self._resolved(one) for one in (*schema.get("oneOf", []), *schema.get("anyOf", []))]
        for one in choices:
            if value.keys() <= one.get("properties", {}).keys():
                return self._filled(one, value)
        fields = schema.get("properties", {})
        given = {key: self._filled(fields[key], one) if key in fields else one for key, one in value.items()}
        wanted = [key for key in schema.get("required", ()) if key not in value]
        return given | {key: self._made(fields[key]) for key in wanted}

    def _made(self, schema: Schema) -> Any:
        schema = self._resolved(schema)
        if schema.get("nullable"):
            return None
        if "enum" in schema:
            return schema["enum"][0]
        for part in (*schema.get("oneOf", []), *schema.get("anyOf", []), *schema.get("allOf", [])[:1]):
            return self._made(part)
        if schema.get("type") == "object" or "properties" in schema:
            return self._filled(schema, {})
        kind = schema.get("type", "string")
        return _MADE.get(schema.get("format", ""), _PLAIN[kind])


def _words(error: Exception) -> str:
    causes = getattr(error.__cause__, "schema_errors", None) or [error.__cause__ or error]
    told = [f"{'.'.join(map(str, getattr(one, 'path', [])))} {getattr(one, 'message', one)}" for one in causes]
    return "; ".join(told)[:1500]


@cache
def contract() -> Contract:
    """Return the description, read once in a process."""
    return Contract()
