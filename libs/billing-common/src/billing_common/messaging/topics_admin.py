"""Creates the declared topics: `python -m billing_common.messaging.topics_admin`.

Idempotent. A topic that is there with another number of partitions stops everything: growing or
shrinking one moves keys, and with them the order that consumers rely on.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from billing_common.contracts.topics import ALL_TOPICS, Topic
from billing_common.messaging.errors import BrokerUnavailable, TopicMismatch

logger = structlog.get_logger(__name__)

DEADLINE_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 0.5
_REPLICAS_FOR_MIN_ISR: Final = 3
_EXIT_CONFIG: Final = 78
_EXIT_UNAVAILABLE: Final = 69


async def ensure_topics(
    bootstrap_servers: str,
    prefix: str = "",
    partitions: int | None = None,
    *,
    replication_factor: int = 1,
    timeout_seconds: float = DEADLINE_SECONDS,
) -> list[str]:
    """Create what is missing; returns the names created.

    `partitions` overrides every declared count (small test clusters only). Raises TopicMismatch
    when a topic has another shape, BrokerUnavailable when Kafka does not answer in time.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _ensure_with_retries(
                bootstrap_servers,
                {
                    prefix + topic.name: _new_topic(topic, prefix, partitions, replication_factor)
                    for topic in ALL_TOPICS
                },
            )
    except TimeoutError:
        raise BrokerUnavailable(
            f"Kafka at {bootstrap_servers} did not answer within {timeout_seconds:g} s; "
            "is it running, and is KAFKA_BOOTSTRAP_SERVERS right?"
        ) from None


def _new_topic(
    topic: Topic, prefix: str, partitions: int | None, replication_factor: int
) -> NewTopic:
    configs = {
        "cleanup.policy": topic.cleanup_policy.value,
        "retention.ms": str(topic.retention_ms),
    }
    if replication_factor >= _REPLICAS_FOR_MIN_ISR:
        configs["min.insync.replicas"] = str(replication_factor - 1)
    return NewTopic(
        prefix + topic.name,
        partitions or topic.partitions,
        replication_factor,
        topic_configs=configs,
    )


async def _ensure_with_retries(bootstrap_servers: str, wanted: Mapping[str, NewTopic]) -> list[str]:
    created: set[str] = set()
    while True:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers.split(","))
        try:
            await admin.start()
            created |= await _create_missing(admin, wanted)
            await _verify(admin, wanted)
            return sorted(created)
        except (KafkaError, OSError) as error:
            logger.info("kafka.topics_not_ready", error=error)
            await asyncio.sleep(_RETRY_SECONDS)
        finally:
            await admin.close()


async def _create_missing(admin: AIOKafkaAdminClient, wanted: Mapping[str, NewTopic]) -> set[str]:
    present = set(await admin.list_topics())
    missing = [topic for name, topic in wanted.items() if name not in present]
    if not missing:
        return set()
    response = await admin.create_topics(missing)
    for name, code, *details in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            if getattr(error, "retriable", False):
                raise error
            raise TopicMismatch(f"{name} cannot be created: {error.__name__} {details}")
    return {topic.name for topic in missing}


async def _verify(admin: AIOKafkaAdminClient, wanted: Mapping[str, NewTopic]) -> None:
    found = {
        description["topic"]: description
        for description in await admin.describe_topics(list(wanted))
    }
    wrong = []
    for name, topic in wanted.items():
        description = found[name]
        error = for_code(description["error_code"])
        if description["error_code"]:
            raise error  # just created and not yet known everywhere: tried again
        count = len(description["partitions"])
        if count != topic.num_partitions:
            wrong.append(f"{name} has {count} partitions, declared are {topic.num_partitions}")
    if wrong:
        raise TopicMismatch(
            "; ".join(wrong) + ". Partitions are never changed in place: keys would move. "
            "Create a new topic and drain the old one, or use another KAFKA_TOPIC_PREFIX."
        )


def main(environ: Mapping[str, str] = os.environ, argv: Sequence[str] = ()) -> int:
    """Exit status 0 (done), 78 (setting missing or topic mismatch), 69 (no broker)."""
    if argv:
        sys.stderr.write("topics_admin takes no arguments; it reads KAFKA_* variables\n")
        return _EXIT_CONFIG
    servers = environ.get("KAFKA_BOOTSTRAP_SERVERS", "")
    replication = environ.get("KAFKA_TOPIC_REPLICATION_FACTOR", "1")
    if not servers or not replication.isdecimal() or int(replication) < 1:
        sys.stderr.write(
            "configuration error: KAFKA_BOOTSTRAP_SERVERS must be host:port[,host:port], "
            "KAFKA_TOPIC_REPLICATION_FACTOR a positive number\n"
        )
        return _EXIT_CONFIG
    prefix = environ.get("KAFKA_TOPIC_PREFIX", "")
    try:
        created = asyncio.run(ensure_topics(servers, prefix, replication_factor=int(replication)))
    except TopicMismatch as error:
        sys.stderr.write(f"topic mismatch: {error}\n")
        return _EXIT_CONFIG
    except BrokerUnavailable as error:
        sys.stderr.write(f"broker unavailable: {error}\n")
        return _EXIT_UNAVAILABLE
    sys.stdout.write(f"topics: {len(created)} created, {len(ALL_TOPICS) - len(created)} present\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(argv=sys.argv[1:]))
