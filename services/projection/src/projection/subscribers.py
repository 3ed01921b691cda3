"""The entrypoint: the event log, in order per partition, a batch at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from billing_common.messaging.ordered_batches import OrderedBatchConsumer
from projection.handlers.batch import BatchProjector


def stripe_events_consumer(
    projector: BatchProjector, *, topic: str, group: str, records_max: int
) -> OrderedBatchConsumer:
    """Offsets live in the database (ack policy MANUAL): see OrderedBatchConsumer."""

    async def load_offsets(partitions: Collection[int]) -> Mapping[int, int]:
        return await projector.load_offsets(topic, list(partitions))

    return OrderedBatchConsumer(
        topic=topic,
        group_id=group,
        load_offsets=load_offsets,
        process=projector.process,
        max_records=records_max,
    )
