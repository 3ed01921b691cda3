"""Every topic, once. `deploy/kafka/topics.yaml` says the same; a test keeps them equal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_DAY_MS: Final = 86_400_000
KEEP_FOREVER: Final = -1
DEAD_LETTER_SUFFIX: Final = ".dlt"


class CleanupPolicy(StrEnum):
    """Kafka's own words."""

    DELETE = "delete"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as declared: never grow `partitions` in place, keys would move."""

    name: str
    key: str
    partitions: int
    cleanup_policy: CleanupPolicy
    retention_ms: int


COMMANDS: Final = Topic(
    "billing.commands.v1", "billable entity id", 6, CleanupPolicy.DELETE, 14 * _DAY_MS
)
REPLIES: Final = Topic("billing.replies.v1", "operation key", 12, CleanupPolicy.DELETE, 1 * _DAY_MS)
STRIPE_EVENTS: Final = Topic(
    "billing.stripe-events.v1",
    "Stripe customer id, else object id",
    6,
    CleanupPolicy.DELETE,
    30 * _DAY_MS,
)
RECONCILE_REQUESTS: Final = Topic(
    "billing.reconcile-requests.v1", "billable entity id", 3, CleanupPolicy.DELETE, 7 * _DAY_MS
)
CHANGES: Final = Topic(
    "billing.changes.v1", "billable entity id", 6, CleanupPolicy.DELETE, 14 * _DAY_MS
)
ENTITLEMENTS: Final = Topic(
    "billing.entitlements.v1", "billable entity id", 6, CleanupPolicy.COMPACT, KEEP_FOREVER
)

PRIMARY_TOPICS: Final = (
    COMMANDS,
    REPLIES,
    STRIPE_EVENTS,
    RECONCILE_REQUESTS,
    CHANGES,
    ENTITLEMENTS,
)


def dead_letter_name(topic_name: str) -> str:
    """The name of the topic that keeps what `topic_name` could not deliver."""
    return topic_name + DEAD_LETTER_SUFFIX


def dead_letter_topic(topic: Topic) -> Topic:
    """As many partitions and the same key as the source, kept for 30 days."""
    return Topic(
        dead_letter_name(topic.name),
        topic.key,
        topic.partitions,
        CleanupPolicy.DELETE,
        30 * _DAY_MS,
    )


ALL_TOPICS: Final = PRIMARY_TOPICS + tuple(dead_letter_topic(topic) for topic in PRIMARY_TOPICS)


@dataclass(frozen=True, slots=True)
class TopicNames:
    """Names as they stand on one cluster: `prefix` separates environments that share it."""

    prefix: str = ""

    def of(self, topic: Topic) -> str:
        """The topic's name on this cluster."""
        return self.prefix + topic.name

    def dead_letter_of(self, topic: Topic) -> str:
        """The dead-letter topic's name on this cluster."""
        return self.prefix + dead_letter_name(topic.name)

    def group(self, name: str) -> str:
        """A consumer group `<service>.<purpose>` on this cluster."""
        return self.prefix + name
