"""Log lines carry ids, never payloads, secrets or personal data: what is not allowed is dropped."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from billing_common.observability.logging import ALLOWED_FIELDS

pytestmark = pytest.mark.requirement("OPS-01")

PROGRAM = """
import structlog
from billing_common.observability.logging import configure_logging
configure_logging("checkout")
log = structlog.get_logger()
structlog.contextvars.bind_contextvars(operation_key="o1", email="a@b.example")
log.info("checkout.recovering", billable_entity_id=42, provider_event_id="evt_1",
         payload=b"hunter2", secret="hunter2", customer_email="hunter2", body="hunter2")
log.error("checkout.failed", error=ValueError("hunter2 was in the input"))
log.info("checkout.line\\nforged", reason="two\\nlines")
log.debug("checkout.chatter")
"""


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """What a process of ours writes, configured as a service configures it."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == ""
    assert "hunter2" not in ran.stderr
    assert "a@b.example" not in ran.stderr
    return [json.loads(line) for line in ran.stderr.splitlines()]


def test_a_line_carries_the_ids(lines: list[dict[str, Any]]) -> None:
    first = lines[0]
    assert first["event"] == "checkout.recovering"
    assert first["service"] == "checkout"
    assert (first["operation_key"], first["billable_entity_id"]) == ("o1", 42)
    assert first["provider_event_id"] == "evt_1"
    assert first["timestamp"].endswith("Z")


def test_only_allowed_fields_are_written(lines: list[dict[str, Any]]) -> None:
    for line in lines:
        assert set(line) <= ALLOWED_FIELDS


def test_an_error_is_named_and_not_quoted(lines: list[dict[str, Any]]) -> None:
    assert lines[1]["error"] == "ValueError"
    assert lines[1]["level"] == "error"


def test_a_line_stays_one_line(lines: list[dict[str, Any]]) -> None:
    """Input cannot forge a second entry, and chatter is off."""
    assert len(lines) == 3
    assert lines[2]["reason"] == "two\nlines"


@pytest.mark.parametrize("word", ["payload", "body", "email", "secret", "token", "card", "url"])
def test_dangerous_names_are_not_allowed(word: str) -> None:
    assert not {name for name in ALLOWED_FIELDS if word in name.split("_")}
