"""The README names what there is: operations, settings, control calls, faults."""

from __future__ import annotations

import re

from stripe_double.derivation.readme import README, with_table
from stripe_double.double import StripeDouble
from stripe_double.engine.faults import FaultKind
from stripe_double.engine.webhook_faults import SWITCHES, WebhookFaultKind
from stripe_double.http.control_routes import ControlRoutes
from stripe_double.settings import Settings

TEXT = README.read_text("utf-8")
PAGES = ("/", "/view", "/forms")


def test_the_table_of_operations_is_the_catalog() -> None:
    assert with_table(TEXT) == TEXT, "run python -m stripe_double.derivation.readme"


def test_every_setting_is_explained() -> None:
    named = set(re.findall(r"`([A-Z_]+)`", TEXT))
    assert {name.upper() for name in Settings.model_fields} <= named


def test_every_fault_is_explained() -> None:
    named = set(re.findall(r"`([a-z_]+)`", TEXT))
    assert {*FaultKind, *WebhookFaultKind} <= named
    assert all(switch in TEXT for switch in SWITCHES)


def test_every_control_call_is_explained() -> None:
    double = StripeDouble(Settings(api_keys=["sk_test_readme_0123456789"]))
    try:
        routes = ControlRoutes(double.world, double.control).asgi_app().routes
        paths = {getattr(route, "path", "") for route in routes}
    finally:
        double.close()
    calls = {path for path in paths if path and not path.startswith(PAGES[1:]) and path != "/"}
    named = set(re.findall(r"`(?:[A-Z]+ )?(/[a-z_/{}]+)", TEXT))
    assert calls <= named | {f"{path}/" for path in named}, sorted(calls - named)
