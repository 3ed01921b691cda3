"""Version steps as pure functions: nothing is changed in place, nothing is invented."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripe_double.engine.errors import ApiError
from stripe_double.engine.webhook_faults import WebhookFault, WebhookFaultKind, spoiled
from stripe_double.wire.versions import added_fields, added_parameters, object_changes
from stripe_double.wire.versions.names import TRAINS, VERSIONS, steps_down_to, train_of
from stripe_double.wire.versions.objects import render, render_event
from stripe_double.wire.versions.parameters import upgrade
from stripe_double.wire.versions.thin_events import related_object, snapshot_id, thin_id

NEWEST = VERSIONS[-1]
KINDS = sorted({kind for fields in added_fields.ADDED.values() for kind in fields})
NAMES = sorted({name for f in added_fields.ADDED.values() for ns in f.values() for name in ns})


def nothing(_collection: str, _object_id: str) -> None:
    return None


leaf = st.none() | st.booleans() | st.integers() | st.text("abc", max_size=3)
names = st.sampled_from([*NAMES, "id", "ui_mode", "flow", "coupon", "data"])
objects = st.recursive(
    leaf,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(names, inner, max_size=4).flatmap(
            lambda fields: st.sampled_from([*KINDS, None]).map(
                lambda kind: {**fields, **({"object": kind} if kind else {})}
            )
        )
    ),
    max_leaves=12,
)


@given(objects, st.sampled_from(VERSIONS))
def test_rendering_changes_nothing_in_place_and_is_done_once(node: Any, version: str) -> None:
    before = copy.deepcopy(node)
    shown = render(node, version, nothing)
    assert node == before
    if train_of(version) == TRAINS[-1]:
        assert shown is node
    else:
        assert render(shown, version, nothing) == shown


@given(objects)
def test_an_older_version_never_shows_more(node: Any) -> None:
    def size(value: Any) -> int:
        children = value.values() if isinstance(value, dict) else value
        if not isinstance(value, dict | list):
            return 0
        return len(value) + sum(size(child) for child in children)

    sizes = [size(render(node, version, nothing)) for version in VERSIONS]
    # `coupon` stands for `source` before clover: one field for one, with its object inside.
    assert sizes == sorted(sizes)


def test_the_steps_are_the_trains_between() -> None:
    assert steps_down_to("endive") == ()
    assert steps_down_to("basil") == ("endive", "dahlia", "clover")
    assert {train_of(version) for version in VERSIONS} == set(TRAINS)
    tables: tuple[Any, ...] = (added_fields.ADDED, added_parameters.ADDED, object_changes.RESHAPED)
    for table in tables:
        assert set(table) <= set(TRAINS[1:])


def test_a_discount_held_its_coupon_before_clover() -> None:
    coupon = {"id": "HALF", "object": "coupon", "percent_off": 50.0}

    def find(collection: str, object_id: str) -> Any:
        return coupon if (collection, object_id) == ("coupon", "HALF") else None

    source = {"type": "coupon", "coupon": "HALF"}
    invoice = {"object": "invoice", "discounts": [{"object": "discount", "source": source}]}
    assert render(invoice, "2025-08-27.basil", find)["discounts"] == [
        {"object": "discount", "coupon": coupon}
    ]
    assert render(invoice, "2025-09-30.clover", find)["discounts"][0]["source"] == source
    code = {"object": "promotion_code", "promotion": source, "code": "X"}
    assert render(code, "2025-03-31.basil", find) == {
        "object": "promotion_code",
        "coupon": coupon,
        "code": "X",
    }


def test_an_event_says_which_version_it_is_in() -> None:
    subject = {"id": "sub_1", "object": "subscription", "status": "active", "status_details": {}}
    event = {
        "id": "evt_1",
        "object": "event",
        "api_version": NEWEST,
        "data": {"object": subject, "previous_attributes": {"status_details": {"x": 1}}},
    }
    old = render_event(event, "2026-02-25.clover", nothing)
    assert old["api_version"] == "2026-02-25.clover"
    assert old["data"] == {
        "object": {"id": "sub_1", "object": "subscription", "status": "active"},
        "previous_attributes": {},
    }


CREATE = "POST /v1/checkout/sessions"


@pytest.mark.parametrize(
    ("route", "version", "given_raw", "meant"),
    [
        (CREATE, "2025-03-31.basil", {"ui_mode": "embedded"}, {"ui_mode": "embedded_page"}),
        (
            CREATE,
            "2026-08-26.dahlia",
            {"payment_method_types": ["card"]},
            {"allowed_payment_method_types": ["card"]},
        ),
        (
            "POST /v1/subscriptions/{id}",
            "2026-08-26.dahlia",
            {"billing_cycle_anchor": "now"},
            {"billing_cycle_anchor": {"type": "now"}},
        ),
        (
            "POST /v1/invoices/create_preview",
            "2026-02-25.clover",
            {"subscription_details": {"billing_cycle_anchor": "unchanged"}},
            {"subscription_details": {"billing_cycle_anchor": {"type": "unchanged"}}},
        ),
        (
            "POST /v1/promotion_codes",
            "2025-08-27.basil",
            {"coupon": "HALF", "code": "X"},
            {"promotion": {"type": "coupon", "coupon": "HALF"}, "code": "X"},
        ),
        (CREATE, NEWEST, {"payment_method_types": ["card"]}, {"payment_method_types": ["card"]}),
    ],
)
def test_parameters_of_older_versions_are_understood(
    route: str, version: str, given_raw: Any, meant: Any
) -> None:
    before = copy.deepcopy(given_raw)
    assert upgrade(route, given_raw, version) == meant
    assert given_raw == before


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (
            {"line_items": [{}, {"price_data": {"product_data": {"tax_details": {}}}}]},
            "line_items[1][price_data][product_data][tax_details]",
        ),
        ({"allowed_payment_method_types": ["card"]}, "allowed_payment_method_types"),
    ],
)
def test_a_parameter_of_the_future_is_named_as_it_was_written(raw: Any, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        upgrade(CREATE, raw, "2026-08-26.dahlia")
    assert (caught.value.code, caught.value.param) == ("parameter_unknown", param)
    upgrade(CREATE, raw, NEWEST)


def test_a_thin_event_can_be_traced_to_its_snapshot() -> None:
    assert snapshot_id(thin_id("evt_1abc")) == "evt_1abc"
    assert snapshot_id("evt_1abc") is None
    url = "/v1/checkout/sessions/cs_1"
    assert related_object({"object": "checkout.session", "id": "cs_1"}) == {
        "id": "cs_1",
        "type": "checkout.session",
        "url": url,
    }
    assert related_object({"object": "entitlements.active_entitlement_summary"}) is None


def test_a_fault_changes_no_event_in_place() -> None:
    event = {"type": "a", "data": {"object": {"id": "x", "metadata": {"k": "v"}}}}
    before = copy.deepcopy(event)
    huge = spoiled(event, WebhookFaultKind.HUGE_PAYLOAD, 10)
    assert huge["data"]["object"]["metadata"] == {"k": "v", "stripe_double_padding": "x" * 10}
    assert spoiled(event, WebhookFaultKind.UNKNOWN_TYPE)["type"] != "a"
    assert spoiled(event, WebhookFaultKind.DROP) == before
    assert event == before


@pytest.mark.parametrize("kind", WebhookFaultKind)
def test_what_a_delivery_remembers_is_plain_json(kind: WebhookFaultKind) -> None:
    plan = WebhookFault(kind).plan()
    assert plan["kind"] == kind
    assert all(isinstance(value, str | int | float) for value in plan.values())
