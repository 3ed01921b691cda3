"""Each process gets what it needs, and no secret that it does not."""

from __future__ import annotations

import dataclasses
import importlib

import pytest

from billing_common.settings import STRIPE_API_VERSION as REQUIRED_API_VERSION
from billing_common.settings import ServiceSettings
from holdfast_cli.environment import inherited_environment, service_environment
from holdfast_cli.local_secrets import generate_secrets
from holdfast_cli.settings import STRIPE_API_VERSION, StackSettings, load_settings
from holdfast_cli.topology import SERVICES

SECRETS = generate_secrets()
SETTINGS = load_settings({})
MODULES = {spec.name: spec.module for spec in SERVICES}


@pytest.mark.parametrize("name", MODULES)
def test_every_service_accepts_the_environment_it_is_given(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module(f"{MODULES[name]}.settings")
    (settings_class,) = {
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, ServiceSettings)
        and value.__module__ == module.__name__
    }
    for variable, value in service_environment(name, SETTINGS, SECRETS).items():
        monkeypatch.setenv(variable, value)

    settings = settings_class()

    assert settings.http_port == SETTINGS.ports[name]


def test_the_gateway_cannot_call_stripe() -> None:
    gateway = service_environment("api-gateway", SETTINGS, SECRETS)

    assert SECRETS.stripe_secret_key not in gateway.values()
    assert SECRETS.stripe_webhook_secret not in gateway.values()


def test_the_ingest_has_no_database_and_no_key() -> None:
    ingest = service_environment("webhook-ingest", SETTINGS, SECRETS)

    assert "BILLING_DATABASE_URL" not in ingest
    assert "BILLING_STRIPE_SECRET_KEY" not in ingest
    assert "BILLING_OPERATION_KEY_SECRET" not in ingest


def test_every_service_has_a_database_user_of_its_own() -> None:
    urls = {
        url
        for name in MODULES
        if (url := service_environment(name, SETTINGS, SECRETS).get("BILLING_DATABASE_URL"))
    }

    assert len(urls) == 4
    assert not any("hf_migrate" in url for url in urls)


def test_only_the_digest_of_the_service_token_is_handed_out() -> None:
    gateway = service_environment("api-gateway", SETTINGS, SECRETS)

    assert SECRETS.service_token not in gateway.values()
    assert gateway["BILLING_SERVICE_TOKEN_SHA256S"] == SECRETS.service_token_sha256


def test_a_real_stripe_account_replaces_the_double() -> None:
    environ = {
        "BILLING_STRIPE_SECRET_KEY": "sk_test_of_a_person",
        "BILLING_STRIPE_WEBHOOK_SECRETS": "whsec_of_a_person",
        "BILLING_STRIPE_ACCOUNT_ID": "acct_of_a_person",
    }
    settings = load_settings(environ)

    checkout = service_environment("checkout", settings, SECRETS)
    ingest = service_environment("webhook-ingest", settings, SECRETS)

    assert checkout["BILLING_STRIPE_SECRET_KEY"] == "sk_test_of_a_person"
    assert checkout["BILLING_STRIPE_ACCOUNT_ID"] == "acct_of_a_person"
    assert "BILLING_STRIPE_BASE_URL" not in checkout
    assert ingest["BILLING_STRIPE_WEBHOOK_SECRETS"] == "whsec_of_a_person"


def test_an_outside_broker_is_handed_to_every_service() -> None:
    settings = load_settings({"KAFKA_BOOTSTRAP_SERVERS": "one:9092,two:9092"})

    for name in MODULES:
        values = service_environment(name, settings, SECRETS)
        assert values["KAFKA_BOOTSTRAP_SERVERS"] == "one:9092,two:9092"


def test_timings_set_by_a_person_reach_the_services() -> None:
    settings: StackSettings = load_settings({"RECONCILER_POLL_SECONDS": "1"})

    assert service_environment("reconciler", settings, SECRETS)["RECONCILER_POLL_SECONDS"] == "1"


def test_the_callers_own_secrets_are_not_inherited() -> None:
    inherited = inherited_environment(
        {"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "x", "BILLING_STRIPE_SECRET_KEY": "sk_live_x"}
    )

    assert inherited["PATH"] == "/bin"
    assert not {"AWS_SECRET_ACCESS_KEY", "BILLING_STRIPE_SECRET_KEY"} & inherited.keys()


def test_the_api_version_is_the_one_the_services_insist_on() -> None:
    assert STRIPE_API_VERSION == REQUIRED_API_VERSION


def test_secrets_are_long_enough_and_all_different() -> None:
    values = [
        value for value in dataclasses.asdict(SECRETS).values() if isinstance(value, str)
    ] + list(SECRETS.database_passwords.values())

    assert len(set(values)) == len(values)
    assert all(len(value) >= 32 for value in values)
