"""Messages as they once went over the wire stay readable, whatever is added later.

A file here is never edited: a field that changes its meaning is a new schema version and a new
file beside the old one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from billing_common.contracts.commands import Command, RecoverOperation, StartSubscriptionCheckout
from billing_common.contracts.envelope import Message
from billing_common.contracts.feeds import Change, EntitlementSnapshot
from billing_common.contracts.replies import Reply
from billing_common.contracts.stripe_event_headers import StripeEventHeaders

GOLDEN = Path(__file__).parent / "golden"
READERS: dict[str, type[Message]] = {
    "command_start_subscription_checkout.v1": Command,
    "command_start_one_off_checkout.v1": Command,
    "command_open_portal.v1": Command,
    "command_create_payment_link.v1": Command,
    "command_deactivate_payment_link.v1": Command,
    "command_recover_operation.v1": Command,
    "reply.v1": Reply,
    "change.v1": Change,
    "entitlement_snapshot.v1": EntitlementSnapshot,
}


def _golden(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    return found


def test_every_recorded_message_has_a_reader() -> None:
    recorded = {path.stem for path in GOLDEN.glob("*.json")}
    assert recorded == {*READERS, "stripe_event_headers"}


@pytest.mark.parametrize(("name", "reader"), READERS.items())
def test_a_recorded_message_is_read_without_loss(name: str, reader: type[Message]) -> None:
    message = reader.from_bytes((GOLDEN / f"{name}.json").read_bytes())
    assert message == reader.from_bytes(message.to_bytes())
    written = json.loads(message.to_bytes())
    for field, value in _golden(name).items():
        if not field.endswith("_at") and field not in {"as_of", "valid_until"}:
            assert written[field] == value


@pytest.mark.parametrize(("name", "reader"), READERS.items())
def test_a_field_from_the_future_is_passed_over(name: str, reader: type[Message]) -> None:
    newer = {**_golden(name), "a_field_of_next_year": {"x": [1]}}
    assert reader.model_validate(newer) == reader.model_validate(_golden(name))


@pytest.mark.parametrize(("name", "reader"), READERS.items())
def test_another_schema_version_is_refused(name: str, reader: type[Message]) -> None:
    with pytest.raises(ValidationError):
        reader.model_validate({**_golden(name), "schema_version": 2})


@pytest.mark.parametrize(("name", "reader"), READERS.items())
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"a":' * 2000])
def test_bytes_that_are_no_message_are_refused(
    name: str, reader: type[Message], body: bytes
) -> None:
    with pytest.raises(ValidationError):
        reader.from_bytes(body)


def test_a_commands_payload_is_known_by_its_type() -> None:
    start = Command.model_validate(_golden("command_start_subscription_checkout.v1"))
    recover = Command.model_validate(_golden("command_recover_operation.v1"))
    assert isinstance(start.payload, StartSubscriptionCheckout)
    assert isinstance(recover.payload, RecoverOperation)
    assert recover.traceparent is None


def test_a_time_without_a_zone_is_refused() -> None:
    naive = {**_golden("change.v1"), "occurred_at": "2026-11-22T12:00:00"}
    with pytest.raises(ValidationError, match="zone"):
        Change.model_validate(naive)


def test_a_message_cannot_be_changed() -> None:
    reply = Reply.model_validate(_golden("reply.v1"))
    with pytest.raises(ValidationError):
        reply.http_status = 200  # type: ignore[misc]


def test_recorded_headers_of_an_event_are_read_and_written_back() -> None:
    recorded = _golden("stripe_event_headers")
    pairs = [(name, value.encode()) for name, value in recorded.items()]
    headers = StripeEventHeaders.from_pairs(pairs)
    assert headers.retry_attempt == 2
    assert headers.livemode is False
    assert dict(headers.to_pairs()) == dict(pairs)


@pytest.mark.parametrize("missing", ["stripe-event-id", "stripe-event-created", "received-at"])
def test_headers_that_ingest_always_writes_are_required(missing: str) -> None:
    recorded = _golden("stripe_event_headers")
    pairs = [(name, value.encode()) for name, value in recorded.items() if name != missing]
    with pytest.raises(KeyError):
        StripeEventHeaders.from_pairs(pairs)
