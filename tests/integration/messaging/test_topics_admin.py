from __future__ import annotations

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from billing_common.contracts.topics import ALL_TOPICS, COMMANDS, ENTITLEMENTS
from billing_common.messaging import topics_admin
from billing_common.messaging.errors import BrokerUnavailable, TopicMismatch
from billing_common.messaging.topics_admin import ensure_topics

pytestmark = pytest.mark.connected


async def test_creates_what_is_missing_once(kafka_server, topic_prefix):
    servers = kafka_server.bootstrap_servers
    assert set(await ensure_topics(servers, topic_prefix)) == {
        topic_prefix + topic.name for topic in ALL_TOPICS
    }
    assert await ensure_topics(servers, topic_prefix) == []
    with pytest.raises(TopicMismatch, match="has 6 partitions, declared are 2"):
        await ensure_topics(servers, topic_prefix, partitions=2)


async def test_topics_have_their_declared_settings(kafka_server, prefixed_topics):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_server.bootstrap_servers)
    await admin.start()
    try:
        for topic in (COMMANDS, ENTITLEMENTS):
            name = prefixed_topics + topic.name
            [response] = await admin.describe_configs(
                [ConfigResource(ConfigResourceType.TOPIC, name)]
            )
            values = {entry[0]: entry[1] for entry in response.resources[0][4]}
            assert values["cleanup.policy"] == topic.cleanup_policy.value
            assert int(values["retention.ms"]) == topic.retention_ms
    finally:
        await admin.close()


async def test_says_what_is_wrong_when_there_is_no_broker():
    with pytest.raises(BrokerUnavailable, match="KAFKA_BOOTSTRAP_SERVERS"):
        await ensure_topics("127.0.0.1:1", timeout_seconds=0.5)


def test_the_command_names_a_missing_setting(capsys):
    assert topics_admin.main({}) == 78
    assert "KAFKA_BOOTSTRAP_SERVERS" in capsys.readouterr().err
