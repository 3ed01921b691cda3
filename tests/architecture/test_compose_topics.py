"""The topics that operators read are the topics that the code uses."""

from __future__ import annotations

from pathlib import Path

import yaml

from billing_common.contracts.topics import ALL_TOPICS

DECLARATION = Path(__file__).parents[2] / "deploy" / "kafka" / "topics.yaml"


def test_the_yaml_declaration_equals_the_contract() -> None:
    declared = yaml.safe_load(DECLARATION.read_text())["topics"]

    assert declared == [
        {
            "name": topic.name,
            "key": topic.key,
            "partitions": topic.partitions,
            "cleanup_policy": topic.cleanup_policy.value,
            "retention_ms": topic.retention_ms,
        }
        for topic in ALL_TOPICS
    ]
