"""What can go wrong between us and the broker, by what the caller should do about it."""

from __future__ import annotations

from billing_common.domain.errors import BillingError, PoisonError, TransientError


class BrokerUnavailable(TransientError):  # noqa: N818 - exceptions are facts here
    """Kafka did not acknowledge in time: the record may or may not be kept. Send it again."""

    code = "broker_unavailable"


class RecordRejected(PoisonError):  # noqa: N818
    """This record can never be sent as it is: too large, or for a partition that is not there."""

    code = "record_rejected"


class OffsetGap(TransientError):  # noqa: N818
    """The batch starts after the offset that is due. `expected` is read next."""

    code = "offset_gap"

    def __init__(self, expected: int) -> None:
        super().__init__(f"offset {expected} is due and the batch starts after it")
        self.expected = expected


class OffsetFenced(TransientError):  # noqa: N818
    """Another owner of the partition moved the stored offset; it is read again."""

    code = "offset_fenced"


class TopicMismatch(BillingError):  # noqa: N818
    """A topic exists with a shape that is not the declared one. An operator decides."""

    code = "topic_mismatch"


class DeadLetterLimitExceeded(BillingError):  # noqa: N818
    """Too many messages were about to be given up: more likely our fault than theirs."""

    code = "dead_letter_limit_exceeded"


class ConsumerDied(BillingError):  # noqa: N818
    """A consumer no longer works and does not repair itself: the process must be replaced."""

    code = "consumer_died"
