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
    schemas = description.get("components", {}).get("schemas", {})
    parts.append("<h2>Types</h2>")
    parts.extend(_schema(name, schema) for name, schema in sorted(schemas.items()))
    return layout.page(info["title"], "".join(parts))


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    rows = list(_parameters(operation))
    table = layout.table(("Parameter", "In", "Type", "Meaning"), rows, "No parameters.")
    return (
        f"<details><summary><code>{method.upper()} {escape(path)}</code></summary>"
        f"<p>{escape(operation.get('description', ''))}</p>{table}"
        f"{_body(operation)}<p>Answer: <code>{_answer(operation)}</code></p></details>"
    )


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    """A type that bodies or answers have: its fields, or the values of an enumeration."""
    required = schema.get("required", ())
    rows = [
        (
            field + (" (required)" if field in required else ""),
            _type(value),
            value.get("description", ""),
        )
        for field, value in schema.get("properties", {}).items()
    ]
    if schema.get("enum"):
        content = f"<p><code>{escape(', '.join(map(str, schema['enum'])))}</code></p>"
    else:
        content = layout.table(("Field", "Type", "Meaning"), rows, "No fields.")
    return (
        f"<details><summary><code>{escape(name)}</code></summary>"
        f'<div id="{escape(name)}"><p>{escape(schema.get("description", ""))}</p>{content}</div>'
        "</details>"
    )


def _body(operation: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return f"<p>Body: <code>{_linked(schema)}</code></p>" if schema else ""


def _linked(schema: Mapping[str, Any]) -> str:
    """A type in HTML, with a link to what it consists of."""
    text = escape(_type(schema))
    name = text.removesuffix("[]")
    is_named = "$ref" in schema or "$ref" in schema.get("items", {})
    return text.replace(name, f'<a href="#{name}">{name}</a>', 1) if is_named else text


def _parameters(operation: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for parameter in operation.get("parameters", ()):
        name = parameter["name"] + (" (required)" if parameter.get("required") else "")
        meaning = parameter.get("description", "")
        yield name, parameter["in"], _type(parameter.get("schema", {})), meaning


def _answer(operation: Mapping[str, Any]) -> str:
    for status, response in operation.get("responses", {}).items():
        if status.startswith("2"):
            schema = response.get("content", {}).get("application/json", {}).get("schema", {})
            return f"{status} {_linked(schema)}".strip()
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
