"""Schemas shared by all nouns. Names, keys and required fields are those of the official API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

# 36 characters. Text, because the engine's ids come as a faster class than uuid.UUID.
Uuid = Annotated[str, Field(json_schema_extra={"format": "uuid"}, min_length=36, max_length=36)]

ZERO_UUID = "00000000-0000-0000-0000-000000000000"  # "none" where an id is required


class Schema(BaseModel):
    """Fields are snake case here and camel case on the wire, unless they name an alias."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True
    )


class APIError(Schema):
    code: int | None = None
    field: str | None = None  # lower-case name of the offending field
    description: str
    docs_link: str | None = Field(None, alias="docs_link")


class APIErrors(Schema):
    errors: list[APIError]


class APIResourceMeta(Schema):
    id: str
    created_at: datetime
    updated_at: datetime


class PaginationResponse(Schema):
    current_page: int | None = Field(None, alias="current_page")
    next_page: int | None = Field(None, alias="next_page")
    num_pages: int | None = Field(None, alias="num_pages")
