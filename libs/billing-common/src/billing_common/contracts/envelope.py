"""What every message of ours carries, and how old and new versions stay readable.

Additive only within a schema version: a reader ignores what it does not know, a writer never
removes or retypes a field.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs its zone")
    return value


UtcTime = Annotated[datetime, AfterValidator(_aware)]


class Message(BaseModel):
    """Base of all our wire messages: immutable, tolerant of fields from the future."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def to_bytes(self) -> bytes:
        """UTF-8 JSON, as it is put on a topic."""
        return self.model_dump_json().encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Any:
        """The message, or pydantic.ValidationError (also for invalid UTF-8)."""
        return cls.model_validate_json(data)
