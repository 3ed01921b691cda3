"""Fixtures of the gateway's integration tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.fixtures.backend import KafkaBroker
from tests.fixtures.databases import Database
from tests.integration.api_gateway.gateways import (
    CheckoutByHand,
    Product,
    checkout_by_hand,
    running_gateway,
    settings,
)

from api_gateway.settings import GatewaySettings
from billing_common.messaging.topics_admin import ensure_topics


@pytest.fixture
async def gateway_settings(
    database: Database, kafka_server: KafkaBroker, topic_prefix: str
) -> GatewaySettings:
    """For a gateway on a fresh database and fresh topics."""
    await ensure_topics(kafka_server.bootstrap_servers, topic_prefix)
    return settings(
        database_url=database.url,
        kafka=kafka_server.bootstrap_servers,
        topic_prefix=topic_prefix,
    )


@pytest.fixture
async def product(
    gateway_settings: GatewaySettings, request: pytest.FixtureRequest
) -> AsyncIterator[Product]:
    hand_made = getattr(request.module, "HAND_MADE", ())
    async with running_gateway(gateway_settings, hand_made=hand_made) as client:
        yield Product(client)


@pytest.fixture
async def checkout(
    gateway_settings: GatewaySettings,
) -> AsyncIterator[CheckoutByHand]:
    async with checkout_by_hand(
        gateway_settings.kafka_bootstrap_servers, gateway_settings.kafka_topic_prefix
    ) as by_hand:
        yield by_hand
