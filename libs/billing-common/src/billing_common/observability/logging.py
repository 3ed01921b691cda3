"""One line of JSON per event: a dotted name and fields. Ids only, never payloads.

Logging is an allow-list: a field that is not known to be harmless is dropped, so that a careless
call cannot leak a secret or personal data.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

ALLOWED_FIELDS: Final = frozenset({
    # structure
    "event", "level", "timestamp", "service", "logger",
    # ids
    "operation_key", "provider_event_id", "billable_entity_id", "command_id", "request_id",
    "idempotency_row_id", "provider_session_id", "provider_subscription_id", "provider_object_id",
    "provider_request_id", "run_id", "job_id", "traceparent",
    # places
    "topic", "partition", "offset", "next_offset", "group", "shard", "scope", "path", "method",
    "transaction", "table", "setting", "host", "port", "name",
    # facts
    "action", "status", "http_status", "code", "reason", "error", "error_type", "attempt",
    "attempts", "outcome", "event_type", "api_version", "lease_version", "count", "records",
    "seconds", "milliseconds", "version", "signal", "exit_code", "kind", "server", "expected",
    "found",
})  # fmt: skip


def _keep_allowed(
    _logger: object, _method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name in [name for name in fields if name not in ALLOWED_FIELDS]:
        del fields[name]
    return fields


def _one_line(
    _logger: object, _method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    # JSON escapes control characters; exceptions are named, their text may quote the input.
    if isinstance(fields.get("error"), BaseException):
        fields["error"] = type(fields["error"]).__name__
    return fields


def configure_logging(service: str) -> None:
    """Send structlog and the standard library's warnings to stderr as JSON lines."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _one_line,
            _keep_allowed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    # The driver logs the server's warnings after a round trip of its own; we read error codes.
    logging.getLogger("asyncmy").setLevel(logging.ERROR)
