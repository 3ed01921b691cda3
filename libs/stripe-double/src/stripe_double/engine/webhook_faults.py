"""What can go wrong with webhooks: one delivery at a time, or all of them while a switch is on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from stripe_double.engine.faults import MAX_DELAY_SECONDS
from stripe_double.engine.records import JsonObject

HUGE_BYTES = 1_000_000
UNKNOWN_TYPE = "unheard.of.by_this_version"
BAD_SECRET = "whsec_not_the_secret_of_this_endpoint"
STALE_SECONDS = 3600


class WebhookFaultKind(StrEnum):
    """What happens to a matching delivery: one event on its way to one endpoint.

    `drop`             the first attempt is lost; retries follow the schedule
    `lose`             no attempt is ever made
    `duplicate`        sent `copies` more times after it succeeded
    `delay`            the first attempt is made `delay_seconds` (virtual, up to 30 days) late
    `reorder`          waits until `places` later deliveries to its endpoint went before it
                       (or `delay_seconds`, default 60, passed)
    `before_reply`     the answer to the request behind it waits until the first attempt is over
    `bad_signature`    the first attempt is signed with another secret
    `stale_timestamp`  the first attempt is signed as an hour ago
    `huge_payload`     the first attempt carries `size_bytes` (1,000,000) more in the metadata
    `unknown_type`     the first attempt names an event type that does not exist
    """

    DROP = "drop"
    LOSE = "lose"
    DUPLICATE = "duplicate"
    DELAY = "delay"
    REORDER = "reorder"
    BEFORE_REPLY = "before_reply"
    BAD_SIGNATURE = "bad_signature"
    STALE_TIMESTAMP = "stale_timestamp"
    HUGE_PAYLOAD = "huge_payload"
    UNKNOWN_TYPE = "unknown_type"


@dataclass
class WebhookFault:
    """One scripted fault, for deliveries of `event_type` to `endpoint` (an id); `*` is any.

    The first `skip` deliveries pass, the next `times` go wrong. Wrong values raise ValueError.
    """

    kind: WebhookFaultKind
    event_type: str = "*"
    endpoint: str = "*"
    times: int = 1
    skip: int = 0
    copies: int = 1
    places: int = 1
    delay_seconds: float = 60.0
    size_bytes: int = HUGE_BYTES

    def __post_init__(self) -> None:
        self.kind = WebhookFaultKind(self.kind)
        if self.times < 1 or self.skip < 0 or self.copies < 1 or self.places < 1:
            message = "times, copies and places must be at least 1, skip at least 0"
            raise ValueError(message)
        if not 0 <= self.delay_seconds <= MAX_DELAY_SECONDS or self.size_bytes < 0:
            message = "delay_seconds must be 0 to 30 days, size_bytes not negative"
            raise ValueError(message)

    def suits(self, event_type: str, endpoint: str) -> bool:
        """Whether this fault is meant for such a delivery."""
        return self.event_type in {"*", event_type} and self.endpoint in {"*", endpoint}

    def plan(self) -> JsonObject:
        """What the delivery remembers of its fault."""
        plan = asdict(self)
        return {name: plan[name] for name in ("kind", *_FIELDS.get(self.kind, ()))}


_FIELDS = {
    WebhookFaultKind.DUPLICATE: ("copies",),
    WebhookFaultKind.DELAY: ("delay_seconds",),
    WebhookFaultKind.REORDER: ("places", "delay_seconds"),
    WebhookFaultKind.HUGE_PAYLOAD: ("size_bytes",),
}


@dataclass
class WebhookSwitches:
    """What goes wrong with every webhook. Counters count attempts still to be spoiled."""

    hold: bool = False
    shuffle: bool = False
    duplicate: int = 0
    drop_next: int = 0
    bad_signature_next: int = 0
    stale_timestamp_next: int = 0
    overrides: JsonObject = field(default_factory=dict)
    dirty: bool = field(default=False, init=False, compare=False)
    """The world must store them again."""

    def set(self, **values: Any) -> None:
        """Change the named ones."""
        for name, value in values.items():
            setattr(self, name, value)
        self.dirty = True

    def stored(self) -> JsonObject:
        """The value of each, by name."""
        return {name: getattr(self, name) for name in SWITCHES}

    def spend(self, counter: str) -> bool:
        """Use one of a counter, if any is left."""
        left: int = getattr(self, counter)
        if left <= 0:
            return False
        self.set(**{counter: left - 1})
        return True


SWITCHES = tuple(item.name for item in fields(WebhookSwitches) if item.init)


def delivery_after(delivery: JsonObject, fault: WebhookFault) -> JsonObject:
    """A new delivery that a fault befell before its first attempt."""
    plan = fault.plan()
    if fault.kind is WebhookFaultKind.LOSE:
        return {**delivery, "fault": plan, "state": "lost"}
    if fault.kind is WebhookFaultKind.DELAY:
        return {**delivery, "fault": plan, "due_at": delivery["due_at"] + fault.delay_seconds}
    return {**delivery, "fault": plan}


def spoiled(event: JsonObject, kind: str, size_bytes: int = 0) -> JsonObject:
    """The event as a fault sends it. Only `huge_payload` and `unknown_type` change it."""
    if kind == WebhookFaultKind.UNKNOWN_TYPE:
        return {**event, "type": UNKNOWN_TYPE}
    if kind == WebhookFaultKind.HUGE_PAYLOAD:
        padding = {"stripe_double_padding": "x" * size_bytes}
        data = event.get("data")
        if not data:
            return {**event, **padding}
        subject = data["object"]
        held = {**(subject.get("metadata") or {}), **padding}
        return {**event, "data": {**data, "object": {**subject, "metadata": held}}}
    return event
