"""The description of the API as a page: the usual viewers load their scripts from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from hatchet_engine.transports.rest.pages import layout


def render(description: Mapping[str, Any]) -> str:
    """``description``: an OpenAPI document."""
    info = description["info"]
    by_tag: dict[str, list[str]] = {}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["other"])[0]
            by_tag.setdefault(tag, []).append(_operation(method, path, operation))
    parts = [
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        f'<p class="soft">{escape(info.get("description", ""))}</p>',
        '<p><a href="/api/openapi.json">OpenAPI document</a></p>',
    ]
    for tag, operations in by_tag.items():
        parts.append(f"<h2>{escape(tag.capitalize())}</h2>")
        parts.extend(operations)
    return layout.page(info["title"], "".join(parts))


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    rows = list(_parameters(operation))
    table = layout.table(("Parameter", "In", "Type", "Meaning"), rows, "No parameters.")
    return (
        f"<details><summary><code>{method.upper()} {escape(path)}</code></summary>"
        f"<p>{escape(operation.get('description', ''))}</p>{table}"
        f"<p>Answer: <code>{escape(_answer(operation))}</code></p></details>"
    )


def _parameters(operation: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for parameter in operation.get("parameters", ()):
        name = parameter["name"] + (" (required)" if parameter.get("required") else "")
        meaning = parameter.get("description", "")
        yield name, parameter["in"], _type(parameter.get("schema", {})), meaning
    body = operation.get("requestBody")
    if body:
        schema = body["content"].get("application/json", {}).get("schema", {})
        yield "body (required)", "body", _type(schema), ""


def _answer(operation: Mapping[str, Any]) -> str:
    for status, response in operation.get("responses", {}).items():
        if status.startswith("2"):
            schema = response.get("content", {}).get("application/json", {}).get("schema", {})
            return f"{status} {_type(schema)}".strip()
    return ""


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        kinds = [_type(option) for option in schema["anyOf"] if option.get("type") != "null"]
        return " or ".join(kinds)
    if schema.get("type") == "array":
        return f"{_type(schema.get('items', {}))}[]"
    return str(schema.get("format") or schema.get("type") or "")
