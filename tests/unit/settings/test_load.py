"""A wrong setting stops the start and is named; its value is never printed."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from billing_common.settings import ServiceSettings, load

pytestmark = pytest.mark.requirement("OPS-04")

SECRET = "s" * 32
COMMON = {
    "BILLING_ENVIRONMENT": "test",
    "HTTP_PORT": "8080",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
}
DATABASE = {"BILLING_DATABASE_URL": "mysql+asyncmy://u:p@127.0.0.1:3306/holdfast"}
STRIPE = {
    "BILLING_STRIPE_SECRET_KEY": "sk_test_0123456789",
    "BILLING_STRIPE_API_VERSION": "2026-10-28.endive",
}
RIGHT: dict[str, dict[str, str]] = {
    "api_gateway": {
        **COMMON,
        **DATABASE,
        "BILLING_OPERATION_KEY_SECRET": SECRET,
        "BILLING_CURRENCY": "usd",
        "BILLING_JWT_ISSUER": "i",
        "BILLING_JWT_AUDIENCE": "a",
        "BILLING_JWT_SHARED_SECRET": SECRET,
        "BILLING_SERVICE_TOKEN_SHA256S": "0" * 64,
    },
    "webhook_ingest": {
        **COMMON,
        "BILLING_STRIPE_WEBHOOK_SECRETS": "whsec_1,whsec_2",
        "BILLING_STRIPE_LIVEMODE": "false",
    },
    "checkout": {
        **COMMON,
        **DATABASE,
        **STRIPE,
        "BILLING_OPERATION_KEY_SECRET": SECRET,
        "BILLING_PROVIDER_IDEMPOTENCY_KEY_SECRET": SECRET,
        "BILLING_CURRENCY": "usd",
        "APP_PUBLIC_URL": "https://app.example",
    },
    "projection": {**COMMON, **DATABASE, **STRIPE},
    "reconciler": {**COMMON, **DATABASE},
}


def _settings_class(service: str) -> type[ServiceSettings]:
    module = importlib.import_module(f"{service}.settings")
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, ServiceSettings)
        and value.__module__ == module.__name__
    )
    return found


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set exactly these variables of ours."""
    known = {name for values in RIGHT.values() for name in values}
    for name in (*known, "BILLING_STRIPE_BASE_URL", "BILLING_JWT_JWKS_FILE"):
        monkeypatch.delenv(name, raising=False)

    def put(values: dict[str, str]) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.mark.parametrize("service", RIGHT)
def test_right_settings_are_read(service: str, environment: Any) -> None:
    environment(RIGHT[service])
    assert load(_settings_class(service)).http_port == 8080


@pytest.mark.parametrize(
    ("service", "variable"), [(service, name) for service, names in RIGHT.items() for name in names]
)
def test_a_missing_setting_is_named(
    service: str, variable: str, environment: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {name: value for name, value in RIGHT[service].items() if name != variable}
    environment(values)
    with pytest.raises(SystemExit) as stopped:
        load(_settings_class(service))
    assert stopped.value.code == 78
    told = capsys.readouterr().err
    assert variable in told
    assert ".env.example" in told


WRONG = [
    ("projection", "BILLING_ENVIRONMENT", "prod"),
    ("projection", "HTTP_PORT", "0"),
    ("projection", "HTTP_PORT", "eighty"),
    ("projection", "KAFKA_BOOTSTRAP_SERVERS", "localhost"),
    ("projection", "KAFKA_BOOTSTRAP_SERVERS", "a:1, b:2"),
    ("projection", "BILLING_DATABASE_URL", "mysql://u:hunter2@h/d"),
    ("projection", "BILLING_STRIPE_API_VERSION", "2020-08-27"),
    ("projection", "BILLING_STRIPE_SECRET_KEY", "sk_live_0123456789"),
    ("checkout", "BILLING_OPERATION_KEY_SECRET", "tooshort-hunter2"),
    ("checkout", "BILLING_CURRENCY", "USD"),
    ("checkout", "APP_PUBLIC_URL", "app.example/hunter2"),
    ("checkout", "BILLING_CHECKOUT_LEASE_SECONDS", "20"),
    ("webhook_ingest", "BILLING_STRIPE_WEBHOOK_SECRETS", "hunter2"),
    ("webhook_ingest", "BILLING_STRIPE_WEBHOOK_SECRETS", "whsec_1,whsec_2,whsec_hunter2"),
    ("webhook_ingest", "BILLING_STRIPE_ACCOUNT_ID", "hunter2"),
    ("api_gateway", "BILLING_SERVICE_TOKEN_SHA256S", "hunter2"),
    ("api_gateway", "BILLING_JWT_JWKS_FILE", "/etc/keys.json"),  # beside the shared secret
    ("reconciler", "RECONCILER_POLL_SECONDS", "0"),
]


@pytest.mark.parametrize(("service", "variable", "value"), WRONG)
def test_a_wrong_setting_is_named_and_not_repeated(
    service: str,
    variable: str,
    value: str,
    environment: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment(RIGHT[service])
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as stopped:
        load(_settings_class(service))
    assert stopped.value.code == 78
    told = capsys.readouterr().err
    assert variable in told
    assert "hunter2" not in told


def test_a_double_is_refused_in_production(
    environment: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(
        {
            **RIGHT["projection"],
            "BILLING_ENVIRONMENT": "production",
            "BILLING_STRIPE_SECRET_KEY": "sk_live_0123456789",
            "BILLING_STRIPE_BASE_URL": "http://127.0.0.1:12111",
        }
    )
    with pytest.raises(SystemExit):
        load(_settings_class("projection"))
    assert "BILLING_STRIPE_BASE_URL" in capsys.readouterr().err


def test_a_shared_token_secret_is_refused_in_production(
    environment: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    environment({**RIGHT["api_gateway"], "BILLING_ENVIRONMENT": "production"})
    with pytest.raises(SystemExit):
        load(_settings_class("api_gateway"))
    assert "BILLING_JWT_SHARED_SECRET" in capsys.readouterr().err


def test_secrets_do_not_show(environment: Any) -> None:
    environment(RIGHT["checkout"])
    shown = repr(load(_settings_class("checkout")))
    assert SECRET not in shown
    assert "sk_test" not in shown
    assert "u:p@" not in shown
