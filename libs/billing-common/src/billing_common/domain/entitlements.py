"""What a plan may promise: a closed registry of entitlement shapes, by schema version.

A value that is not exactly one of these shapes is refused: on writing with its reason, on reading
by failing closed. There is no lenient reading, because a limit that is misread is a limit lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from billing_common.domain.errors import BillingError

# BIGINT UNSIGNED counters stay comparable in every client, JavaScript included.
QUOTA_LIMIT_MAX: Final = 2**53 - 1
CODE_BYTES_MAX: Final = 120


class QuotaInterval(StrEnum):
    """The window a quota counts in, UTC calendar."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class QuotaEnforcement(StrEnum):
    """Whether going over is refused or only told."""

    HARD = "hard"
    SOFT = "soft"


class InvalidReason(StrEnum):
    """Why a stored or offered value is not an entitlement."""

    UNKNOWN_SCHEMA_VERSION = "unknown_schema_version"
    INVALID_PAYLOAD = "invalid_payload"


@dataclass(frozen=True, slots=True)
class BooleanEntitlement:
    """A feature that is on or off."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class QuotaEntitlement:
    """At most `limit` units per `interval`."""

    limit: int
    interval: QuotaInterval
    enforcement: QuotaEnforcement


@dataclass(frozen=True, slots=True)
class StringListEntitlement:
    """The named things that may be used, in the order given."""

    values: tuple[str, ...]


Entitlement: TypeAlias = BooleanEntitlement | QuotaEntitlement | StringListEntitlement


class InvalidEntitlement(BillingError):  # noqa: N818 - exceptions are facts here
    """Not an entitlement of the registry. `reason` is for machines, the message for people."""

    code = "invalid_entitlement"

    def __init__(self, message: str, *, reason: InvalidReason) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEntitlement:
    """One entitlement of a plan, valid by construction: `value` is the JSON object as stored.

    Raises InvalidEntitlement when code, version or value are not what the registry allows.
    """

    code: str
    schema_version: str
    value: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not self.code.strip() or len(self.code.encode()) > CODE_BYTES_MAX:
            raise _invalid(f"an entitlement code is 1 to {CODE_BYTES_MAX} bytes and not blank")
        parse_entitlement(self.schema_version, self.value)


def parse_entitlement(schema_version: str, value: Any) -> Entitlement:
    """The entitlement that `value` (a parsed JSON object) states. Raises InvalidEntitlement."""
    parse = REGISTRY.get(schema_version)
    if parse is None:
        raise InvalidEntitlement(
            f"unknown entitlement schema version {schema_version!r}; "
            f"known: {', '.join(sorted(REGISTRY))}",
            reason=InvalidReason.UNKNOWN_SCHEMA_VERSION,
        )
    return parse(value)


def _boolean(value: Any) -> BooleanEntitlement:
    fields = _exactly(value, {"enabled"})
    if not isinstance(fields["enabled"], bool):
        raise _invalid("enabled must be true or false")
    return BooleanEntitlement(enabled=fields["enabled"])


def _quota(value: Any) -> QuotaEntitlement:
    fields = _exactly(value, {"limit", "interval", "enforcement"})
    limit = fields["limit"]
    if isinstance(limit, bool) or not isinstance(limit, int) or not 0 <= limit <= QUOTA_LIMIT_MAX:
        raise _invalid(f"limit must be an integer from 0 to {QUOTA_LIMIT_MAX}")
    return QuotaEntitlement(
        limit=limit,
        interval=QuotaInterval(_word(fields, "interval", QuotaInterval)),
        enforcement=QuotaEnforcement(_word(fields, "enforcement", QuotaEnforcement)),
    )


def _string_list(value: Any) -> StringListEntitlement:
    values = _exactly(value, {"values"})["values"]
    if not isinstance(values, list):
        raise _invalid("values must be an array")
    if not all(isinstance(item, str) and item.strip() for item in values):
        raise _invalid("values must hold non-blank strings only")
    if len(set(values)) != len(values):
        raise _invalid("values must not repeat")
    return StringListEntitlement(values=tuple(values))


REGISTRY: Final[Mapping[str, Callable[[Any], Entitlement]]] = MappingProxyType(
    {
        "entitlement.boolean.v1": _boolean,
        "entitlement.quota.v1": _quota,
        "entitlement.string_list.v1": _string_list,
    }
)


def _exactly(value: Any, names: set[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or set(value) != names:
        raise _invalid(f"the value must be an object with exactly: {', '.join(sorted(names))}")
    return value


def _word(fields: Mapping[str, Any], name: str, words: type[StrEnum]) -> str:
    word = fields[name]
    if not isinstance(word, str) or word not in set(words):
        raise _invalid(f"{name} must be one of: {', '.join(words)}")
    return word


def _invalid(message: str) -> InvalidEntitlement:
    return InvalidEntitlement(message, reason=InvalidReason.INVALID_PAYLOAD)
