"""Values to JSON text and back, by declared type.

One `Codec` per declared type. It is built when first used, because building a pydantic validator
takes about a millisecond and a program may declare hundreds of tasks.

Field names travel, not aliases; reading takes both, so that models with aliases survive the way
there and back. A value whose type is not the declared one is written by its own type: nothing
is cut off silently.
"""

from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

import orjson
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from hatchet.exceptions import IllegalTaskOutputError
from hatchet.serde import HATCHET_PYDANTIC_SENTINEL, has_escaped_null

T = TypeVar("T")

_CONTEXT: Any = HATCHET_PYDANTIC_SENTINEL


class EmptyModel(BaseModel):
    """The input of a task that declares none. What was passed is there as attributes.

    @hatchet.task()
    async def greet(input: EmptyModel, ctx: Context) -> None:
        print(input.name)
    """

    model_config = ConfigDict(extra="allow", frozen=True)


class Codec(Generic[T]):
    """Reads and writes values of one declared type; `None` declares `EmptyModel`."""

    def __init__(self, declared: Any) -> None:
        self.declared = EmptyModel if declared is None or declared is type(None) else declared
        is_class = isinstance(self.declared, type)
        self._exact = self.declared if is_class and _is_structure(self.declared) else None
        self._empty: Any = None

    @cached_property
    def adapter(self) -> TypeAdapter[T]:
        return TypeAdapter(cast("type[T]", self.declared))

    def read(self, text: str) -> T:
        """Validate JSON text; "" is `{}`. Raises pydantic's `ValidationError`."""
        if self.declared is EmptyModel and (not text or text == "{}"):
            if self._empty is None:
                self._empty = EmptyModel()
            return cast("T", self._empty)
        return self.adapter.validate_json(
            text or "{}", context=_CONTEXT, by_alias=True, by_name=True
        )

    def read_python(self, value: Any) -> T:
        """Validate a plain Python value."""
        return self.adapter.validate_python(value, context=_CONTEXT, by_alias=True, by_name=True)

    def write(self, value: Any) -> str:
        """JSON text of `value`. Raises `ValueError` or `TypeError` if it has none."""
        if self._exact is not None and type(value) is self._exact:
            return self.adapter.dump_json(cast("T", value), context=_CONTEXT).decode()
        return write_by_own_type(value)

    def json_schema(self) -> bytes | None:
        """JSON schema of the declared type; None for types which have no useful one."""
        if self.declared is EmptyModel or self.declared is dict:
            return None
        adapter = self.adapter  # a type that pydantic cannot read fails here, at registration
        try:
            schema = adapter.json_schema()
        except Exception:  # the schema only serves forms of the dashboard
            return None
        if schema.get("type") != "object" or "properties" not in schema:
            return None
        return to_json(schema)


def write_by_own_type(value: Any) -> str:
    """JSON text by what the value is: a model by its fields, a dict by its items."""
    return to_json(
        value, by_alias=False, context=_CONTEXT, inf_nan_mode="null", bytes_mode="utf8"
    ).decode()


def write_input(codec: Codec[Any], value: Any) -> str:
    """JSON text of a run's input; "" when there is none.

    Raises `TypeError` for a value that is not an object in JSON (a number, a list).
    """
    if value is None:
        return ""
    if not isinstance(value, dict) and not _is_structure(type(value)):
        raise TypeError(
            f"input must be a dict, a pydantic model or a dataclass, not {type(value).__name__}"
        )
    text = "" if isinstance(value, dict) and not value else codec.write(value)
    if has_escaped_null(text):
        raise ValueError(
            "input contains the null character \\u0000, which Postgres cannot store. "
            "hatchet.remove_null_unicode_character() removes it."
        )
    return text


def write_output(codec: Codec[Any], value: Any) -> str:
    """JSON text of what a task returned; "" for no output.

    A value that is nothing (`None`, `0`, `""`, an empty dict or list) is no output.
    Raises `IllegalTaskOutputError` for what cannot be stored.
    """
    if value is None:
        return ""
    if not isinstance(value, dict) and not _is_structure(type(value)):
        if isinstance(value, (int, float, str, bytes, list, tuple, set, frozenset)) and not value:
            return ""
        raise IllegalTaskOutputError(
            f"a task must return a dict, a pydantic model, a dataclass or None, "
            f"not {type(value).__name__}. Wrap it: return {{'value': ...}}."
        )
    if isinstance(value, dict) and not value:
        return ""
    try:
        text = codec.write(value)
    except (PydanticSerializationError, ValueError, TypeError) as error:
        raise IllegalTaskOutputError(f"cannot write the output as JSON: {error}") from error
    if has_escaped_null(text):
        raise IllegalTaskOutputError(
            "the output contains the null character \\u0000, which Postgres cannot store. "
            "hatchet.remove_null_unicode_character() removes it."
        )
    return text


def write_metadata(metadata: Mapping[str, Any] | None) -> str:
    """JSON text of additional metadata; "" for none. Raises `TypeError` for what has none."""
    if not metadata:
        return ""
    try:
        return orjson.dumps(metadata).decode()
    except TypeError as error:
        raise TypeError(f"additional_metadata cannot be written as JSON: {error}") from None


def _is_structure(cls: type) -> bool:
    return issubclass(cls, BaseModel) or is_dataclass(cls)


__all__ = [
    "Codec",
    "EmptyModel",
    "ValidationError",
    "write_by_own_type",
    "write_input",
    "write_metadata",
    "write_output",
]
