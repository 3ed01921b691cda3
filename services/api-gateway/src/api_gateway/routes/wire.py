"""The shapes of the public API: camelCase, ids as text, times in ISO 8601 UTC with Z."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from billing_common.contracts.checkout_response import wire_time

# Each resource states its whole path, so that metrics name routes as clients know them.
PUBLIC_PATH: Final = "/api/billing"
INTERNAL_PATH: Final = "/internal/v1"

WireTime = Annotated[
    datetime,
    PlainSerializer(wire_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
# A 64-bit id does not fit JavaScript's numbers.
WireId = Annotated[
    int,
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]+$"}),
]


class Shape(BaseModel):
    """Base of what we answer with."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        from_attributes=True,
        extra="forbid",
    )


class RequestShape(BaseModel):
    """Base of what we are sent: nothing is converted, nothing unknown is accepted."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=False,
        frozen=True,
        strict=True,
        extra="forbid",
    )


class ProblemError(BaseModel):
    """The canonical error. Members are absent, not null, when there is nothing to say."""

    model_config = ConfigDict(extra="forbid")

    code: str
    message: str
    details: dict[str, Any] | None = None
    field_errors: dict[str, str] | None = None
    operation_key: str | None = None
    request_id: str


class Problem(BaseModel):
    """RFC 9457 members, and `error` with the canonical code. docs/errors.md lists the codes."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    error: ProblemError


class BillableEntityShape(Shape):
    """Who is billed."""

    id: WireId
    entity_type: Literal["workspace", "user", "organization", "external"]
    workspace_slug: str | None
    status: Literal["active", "inactive"]
    created_at: WireTime
    updated_at: WireTime
