"""Kafka: produce durably, consume in order, keep what cannot be handled.

One rule above all: an offset is committed, a send reported, only after the work it stands for is
durable. Subscribers run on FastStream, sends on aiokafka; neither type leaves this package.
"""

from __future__ import annotations
