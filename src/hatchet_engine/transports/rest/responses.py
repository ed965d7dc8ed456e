"""JSON answers.

JSON that users sent (inputs, outputs, metadata) is passed on as the text it is, never decoded and
encoded again: numbers of any size and the order of keys stay as they were sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, WithJsonSchema
from starlette.responses import Response

# A field that holds what `json_object` returns.
JsonObject = Annotated[Any, WithJsonSchema({"type": "object"})]

_EMPTY = orjson.Fragment("{}")


class JsonResponse(Response):
    media_type = "application/json"


def json_object(text: str | None) -> orjson.Fragment:
    """JSON text as part of an answer; whatever is no object is shown as {}."""
    if text is None or not text.lstrip().startswith("{"):
        return _EMPTY
    return orjson.Fragment(text)


def compact(value: Mapping[str, object]) -> str:
    """A JSON object as the engine takes it. Python's own encoder: it knows integers of any size."""
    return json.dumps(value, separators=(",", ":"))


def answer(value: BaseModel | Sequence[BaseModel], status: int = 200) -> JsonResponse:
    """A model (or a list of them) as JSON: camel case keys, unset optional fields left out."""
    return JsonResponse(encode(value), status_code=status)


def raw_answer(text: str) -> JsonResponse:
    """JSON text as it is."""
    return JsonResponse(text.encode())


def encode(value: BaseModel | Sequence[BaseModel] | Mapping[str, BaseModel]) -> bytes:
    data: Any
    if isinstance(value, BaseModel):
        data = _plain(value)
    elif isinstance(value, Mapping):
        data = {key: _plain(item) for key, item in value.items()}
    else:
        data = [_plain(item) for item in value]
    return orjson.dumps(data, option=orjson.OPT_UTC_Z)


def _plain(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(by_alias=True, exclude_none=True)
