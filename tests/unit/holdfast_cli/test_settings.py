"""A wrong setting is named, with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast_cli.failures import StackFailure
from holdfast_cli.settings import load_settings, read_environment


def test_defaults_are_the_documented_ports() -> None:
    ports = load_settings({}).ports

    assert ports["api-gateway"] == 8080
    assert ports["stripe-double"] == 12111
    assert ports["mariadb"] == 13306
    assert ports["kafka"] == 19092


@pytest.mark.parametrize("text", ["0", "65536", "-1", "http", "80.5"])
def test_a_port_that_is_none_is_named(text: str) -> None:
    with pytest.raises(StackFailure, match="HOLDFAST_GATEWAY_PORT"):
        load_settings({"HOLDFAST_GATEWAY_PORT": text})


def test_two_parts_cannot_share_a_port() -> None:
    with pytest.raises(StackFailure) as caught:
        load_settings({"HOLDFAST_INGEST_PORT": "8080"})

    assert "api-gateway and webhook-ingest" in caught.value.message
    assert "HOLDFAST_INGEST_PORT" in caught.value.way_out[0]


def test_a_live_key_is_refused_and_not_shown() -> None:
    with pytest.raises(StackFailure) as caught:
        load_settings({"BILLING_STRIPE_SECRET_KEY": "sk_live_very_secret"})

    assert "sk_live_very_secret" not in caught.value.message + " ".join(caught.value.way_out)


def test_a_real_key_without_webhook_secret_says_what_to_do() -> None:
    with pytest.raises(StackFailure) as caught:
        load_settings({"BILLING_STRIPE_SECRET_KEY": "sk_test_x", "HOLDFAST_INGEST_PORT": "9999"})

    assert "BILLING_STRIPE_WEBHOOK_SECRETS" in caught.value.message
    assert "stripe listen" in caught.value.way_out[0]
    assert "9999" in caught.value.way_out[0]


def test_the_environment_wins_over_the_dot_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "HOLDFAST_GATEWAY_PORT=1111\nHOLDFAST_INGEST_PORT=2222\nBILLING_CURRENCY=\n"
    )

    merged = read_environment(tmp_path, {"HOLDFAST_GATEWAY_PORT": "3333"})

    assert load_settings(merged).ports["api-gateway"] == 3333
    assert load_settings(merged).ports["webhook-ingest"] == 2222
    assert load_settings(merged).currency == "usd"
