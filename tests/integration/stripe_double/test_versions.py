"""API versions: requests and answers, webhooks and events, in each release train."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import stripe

from stripe_double.testing import running_double
from stripe_double.wire.versions.names import VERSIONS

BASIL = "2025-03-31.basil"
CLOVER = "2026-02-25.clover"
DAHLIA = "2026-08-26.dahlia"
ENDIVE = "2026-10-28.endive"
TRAINS = (BASIL, CLOVER, DAHLIA, ENDIVE)

# field of an answer -> the first of TRAINS that shows it
SESSION_FIELDS = {
    "branding_settings": CLOVER,
    "customer_account": CLOVER,
    "integration_identifier": DAHLIA,
    "managed_payments": DAHLIA,
    "allowed_payment_method_types": ENDIVE,
    "payment_method_types": BASIL,
    "payment_status": BASIL,
}


def shown_since(first: str) -> list[str]:
    return list(TRAINS[TRAINS.index(first) :])


@pytest.fixture
def at(double: Any, new_client: Any) -> Any:
    return lambda version: new_client(double, stripe_version=version)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_answered_in_itself(raw: httpx.Client, version: str) -> None:
    answer = raw.post("/v1/customers", headers={"stripe-version": version})
    assert answer.status_code == 200
    assert answer.headers["stripe-version"] == version
    assert ("customer_account" in answer.json()) is ("basil" not in version)


@pytest.mark.parametrize("field", SESSION_FIELDS)
def test_a_field_is_shown_since_the_train_that_added_it(shop: Any, at: Any, field: str) -> None:
    session = shop.session()
    shown = [v for v in TRAINS if field in at(v).v1.checkout.sessions.retrieve(session.id)]
    assert shown == shown_since(SESSION_FIELDS[field])


def test_fields_are_left_out_at_every_depth(shop: Any, at: Any) -> None:
    session = shop.bought()
    wanted = {"expand": ["subscription.latest_invoice", "line_items"]}
    for version in TRAINS:
        found = at(version).v1.checkout.sessions.retrieve(session.id, wanted)
        subscription = found.subscription
        assert ("status_details" in subscription) is (version == ENDIVE)
        assert ("status_details" in subscription.latest_invoice) is (version == ENDIVE)
        assert ("current_trial" in subscription["items"].data[0]) is (version == ENDIVE)
        assert ("billing_schedules" in subscription) is (version in shown_since(DAHLIA))
        listed = at(version).v1.subscriptions.list().data[0]
        assert ("status_details" in listed) is (version == ENDIVE)


def test_ui_modes_are_called_what_they_were_called(shop: Any, at: Any) -> None:
    seen = {}
    for version in TRAINS:
        name = "hosted" if version in (BASIL, CLOVER) else "hosted_page"
        session = at(version).v1.checkout.sessions.create(shop.params(ui_mode=name))
        seen[version] = session.ui_mode
    assert seen == {BASIL: "hosted", CLOVER: "hosted", DAHLIA: "hosted_page", ENDIVE: "hosted_page"}
    for version, wrong in ((BASIL, "hosted_page"), (ENDIVE, "hosted")):
        with pytest.raises(stripe.InvalidRequestError, match="ui_mode"):
            at(version).v1.checkout.sessions.create(shop.params(ui_mode=wrong))


def test_payment_method_types_were_given_before_endive(shop: Any, at: Any) -> None:
    for version in TRAINS:
        old = version != ENDIVE
        right, wrong = ("payment_method_types", "allowed_payment_method_types")[:: 1 if old else -1]
        sessions = at(version).v1.checkout.sessions
        created = sessions.create(shop.params(**{right: ["card"]}))
        assert created.payment_method_types == ["card"]
        with pytest.raises(stripe.InvalidRequestError):
            sessions.create(shop.params(**{wrong: ["card"]}))


@pytest.mark.parametrize(
    ("since", "params"),
    [
        (DAHLIA, {"integration_identifier": "x"}),
        (DAHLIA, {"subscription_data": {"pending_invoice_item_interval": {"interval": "day"}}}),
        (ENDIVE, {"subscription_data": {"invoice_settings": {"footer": "x"}}}),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_parameter_is_unknown_before_the_train_that_added_it(
    shop: Any, at: Any, since: str, params: Any
) -> None:
    for version in TRAINS:
        try:
            at(version).v1.checkout.sessions.create(shop.params(**params))
            refusal = None
        except stripe.StripeError as error:
            refusal = error.error.code
        assert (refusal == "parameter_unknown") is (version not in shown_since(since))


def test_a_billing_cycle_anchor_was_a_word_before_endive(shop: Any, raw: httpx.Client) -> None:
    """It reaches the handler as endive's object, or is refused where the word is no word."""
    shop.bought()
    path = f"/v1/subscriptions/{shop.client.v1.subscriptions.list().data[0].id}"

    def code(version: str, body: str) -> Any:
        headers = {"stripe-version": version, "content-type": "application/x-www-form-urlencoded"}
        answer = raw.post(path, content=body, headers=headers)
        error = answer.json().get("error", {})
        return error.get("param") if answer.status_code == 400 else answer.status_code

    new, old = "billing_cycle_anchor[type]=unchanged", "billing_cycle_anchor=unchanged"
    assert code(DAHLIA, old) == code(ENDIVE, new)
    assert code(DAHLIA, "billing_cycle_anchor=nonsense") == "billing_cycle_anchor"
    assert code(ENDIVE, old) == "billing_cycle_anchor"


def test_each_endpoint_gets_events_in_its_own_version(
    double: Any, shop: Any, receiver: Any
) -> None:
    endpoints = {
        version: shop.client.v1.webhook_endpoints.create(
            {
                "url": f"{receiver.url}/{version}",
                "enabled_events": ["checkout.session.completed", "customer.subscription.updated"],
                "api_version": version,
            }
        )
        for version in TRAINS
    }
    plain = shop.client.v1.webhook_endpoints.create(
        {"url": receiver.url, "enabled_events": ["checkout.session.completed"]}
    )
    shop.bought()
    received = receiver.wait_for(5)
    double.wait_for_webhooks()
    bodies = [json.loads(r.body) for r in received if b"session.completed" in r.body]
    by_version = {body["api_version"]: body for body in bodies}
    assert set(by_version) == {*TRAINS}
    assert len(bodies) == len(endpoints) + 1
    assert plain.api_version is None
    assert len({body["id"] for body in bodies}) == 1
    for field, first in SESSION_FIELDS.items():
        shown = [v for v in TRAINS if field in by_version[v]["data"]["object"]]
        assert shown == shown_since(first)


def test_what_changed_is_told_in_the_endpoint_s_version_too(
    double: Any, client: Any, receiver: Any
) -> None:
    for version in (BASIL, ENDIVE):
        client.v1.webhook_endpoints.create(
            {"url": receiver.url, "enabled_events": ["customer.updated"], "api_version": version}
        )
    before = {"id": "cus_x", "object": "customer", "name": "A", "individual_name": "B"}
    with_change = {**before, "individual_name": "C", "name": "D"}

    def change(control: Any) -> None:
        with control._world.transaction() as tx:
            tx.emit("customer.updated", with_change, {"name": "A", "individual_name": "B"})

    double.call(change)
    bodies = {b["api_version"]: b for b in (json.loads(r.body) for r in receiver.wait_for(2))}
    assert bodies[BASIL]["data"]["previous_attributes"] == {"name": "A"}
    assert bodies[ENDIVE]["data"]["previous_attributes"] == {"name": "A", "individual_name": "B"}


def test_an_endpoint_of_a_version_that_is_not_rendered_is_refused(client: Any) -> None:
    with pytest.raises(stripe.StripeError):
        client.v1.webhook_endpoints.create(
            {"url": "http://x.test/", "enabled_events": ["*"], "api_version": "2024-06-20"}
        )


def test_events_keep_the_account_s_version_whoever_asks(new_client: Any) -> None:
    """As at Stripe: an event is rendered once, when it happens."""
    with running_double(account_api_version=CLOVER) as double:
        for version in (BASIL, ENDIVE):
            client = new_client(double, stripe_version=version)
            client.v1.products.create({"name": "P"})
            (event,) = client.v1.events.list({"limit": 1}).data
            assert event.api_version == CLOVER
            assert "tax_details" not in event.data.object
            assert client.v1.events.retrieve(event.id).api_version == CLOVER


def test_events_may_be_listed_in_the_version_of_the_request(new_client: Any) -> None:
    with running_double(events_listed_in="request") as double:
        new_client(double).v1.customers.create({})
        for version in TRAINS:
            (event,) = new_client(double, stripe_version=version).v1.events.list().data
            assert event.api_version == version
            assert ("customer_account" in event.data.object) is (version != BASIL)


def test_a_request_without_a_version_is_the_account_s(new_client: Any) -> None:
    with running_double(account_api_version=DAHLIA) as double:
        headers = {"authorization": f"Bearer {double.api_key}"}
        answer = httpx.post(f"{double.url}/v1/customers", headers=headers)
        assert answer.headers["stripe-version"] == DAHLIA


def test_a_replay_is_what_was_kept_in_whatever_version(raw: httpx.Client) -> None:
    answers = [
        raw.post("/v1/customers", headers={"stripe-version": version, "idempotency-key": "k"})
        for version in (BASIL, ENDIVE)
    ]
    assert answers[0].content == answers[1].content
