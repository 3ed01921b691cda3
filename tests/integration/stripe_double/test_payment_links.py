"""Payment Links: what they sell, a session per visit, the limit, and inactive ones."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe


def link_of(shop: Any, **changes: Any) -> Any:
    params = {"line_items": [{"price": shop.price, "quantity": 2}], **changes}
    return shop.client.v1.payment_links.create(params)


def visit(shop: Any, link: Any, query: str = "") -> Any:
    opened = httpx.get(link.url + query)
    assert opened.status_code == 303, opened.text
    session_id = opened.headers["location"].rpartition("/")[2]
    return shop.client.v1.checkout.sessions.retrieve(session_id)


def pay(shop: Any, session: Any, email: str = "buyer@example.com") -> httpx.Response:
    return httpx.post(f"{shop.double.url}/c/pay/{session.id}/pay", data={"email": email})


def test_a_link_shows_what_it_sells(shop: Any) -> None:
    link = link_of(shop, metadata={"plan": "pro"})
    assert (link.active, link.currency, link.submit_type) == (True, "usd", "auto")
    assert link.url.startswith(f"{shop.double.url}/b/test_")
    assert "line_items" not in link
    expanded = shop.client.v1.payment_links.retrieve(link.id, {"expand": ["line_items"]})
    assert [(i.price.id, i.quantity) for i in expanded.line_items.data] == [(shop.price, 2)]
    lines = shop.client.v1.payment_links.line_items.list(link.id).data
    assert [line.amount_total for line in lines] == [2400]
    assert shop.event_types()[-1] == "payment_link.created"


def test_each_visit_makes_a_session_with_the_link_and_its_metadata(shop: Any) -> None:
    link = link_of(shop, metadata={"plan": "pro"}, subscription_data={"metadata": {"entity": "42"}})
    first = visit(shop, link, "?client_reference_id=org-1&prefilled_email=a%40example.com")
    second = visit(shop, link)
    assert first.id != second.id
    assert (first.payment_link, first.metadata.to_dict()) == (link.id, {"plan": "pro"})
    assert (first.client_reference_id, first.customer_email) == ("org-1", "a@example.com")
    assert (first.mode, first.amount_total, first.status) == ("subscription", 2400, "open")
    assert pay(shop, first).status_code == 303
    paid = shop.client.v1.checkout.sessions.retrieve(first.id, {"expand": ["payment_link"]})
    assert (paid.status, paid.payment_link.id) == ("complete", link.id)
    subscription = shop.client.v1.subscriptions.retrieve(paid.subscription)
    assert subscription.metadata.to_dict() == {"entity": "42"}
    found = shop.client.v1.checkout.sessions.list({"payment_link": link.id, "status": "open"})
    assert [session.id for session in found.data] == [second.id]


def test_after_completion_redirects_or_confirms(shop: Any) -> None:
    url = "http://shop.test/thanks?session={CHECKOUT_SESSION_ID}"
    redirecting = link_of(shop, after_completion={"type": "redirect", "redirect": {"url": url}})
    session = visit(shop, redirecting)
    answer = pay(shop, session)
    assert answer.headers["location"] == f"http://shop.test/thanks?session={session.id}"
    confirming = link_of(
        shop,
        after_completion={
            "type": "hosted_confirmation",
            "hosted_confirmation": {"custom_message": "See you on Monday"},
        },
    )
    answer = pay(shop, visit(shop, confirming))
    assert "See you on Monday" in httpx.get(answer.headers["location"]).text


def test_the_limit_of_completed_sessions_closes_the_link(shop: Any) -> None:
    link = link_of(
        shop,
        restrictions={"completed_sessions": {"limit": 2}},
        inactive_message="Sold out, sorry",
    )
    sessions = [visit(shop, link) for _ in range(3)]
    assert [pay(shop, session).status_code for session in sessions] == [303, 303, 410]
    after = shop.client.v1.payment_links.retrieve(link.id)
    assert (after.active, after.restrictions.completed_sessions.count) == (False, 2)
    refused = httpx.get(link.url)
    assert refused.status_code == 410
    assert "Sold out, sorry" in refused.text
    left = shop.client.v1.checkout.sessions.retrieve(sessions[2].id)
    assert left.status == "expired"
    assert len(shop.double.ledger("charge", outcome="succeeded")) == 2
    with pytest.raises(stripe.InvalidRequestError, match="limit"):
        shop.client.v1.payment_links.update(link.id, {"active": True})
    updates = {"active": True, "restrictions": {"completed_sessions": {"limit": 3}}}
    assert shop.client.v1.payment_links.update(link.id, updates).active
    assert pay(shop, visit(shop, link)).status_code == 303


def test_an_inactive_link_refuses_and_an_active_one_is_listed(shop: Any) -> None:
    link, other = link_of(shop), link_of(shop)
    shop.client.v1.payment_links.update(link.id, {"active": False, "metadata": {"old": "yes"}})
    assert shop.event_types()[-1] == "payment_link.updated"
    assert httpx.get(link.url).status_code == 410
    assert httpx.get(f"{shop.double.url}/b/test_none").status_code == 404
    listed = shop.client.v1.payment_links.list({"active": True}).data
    assert [found.id for found in listed] == [other.id]


def test_a_link_in_payment_mode_sells_price_data(shop: Any) -> None:
    line = {
        "price_data": {"currency": "usd", "unit_amount": 700, "product_data": {"name": "Book"}},
        "quantity": 1,
    }
    link = link_of(shop, line_items=[line], payment_intent_data={"metadata": {"k": "v"}})
    (item,) = shop.client.v1.payment_links.line_items.list(link.id).data
    shop.client.v1.payment_links.update(link.id, {"line_items": [{"id": item.id, "quantity": 3}]})
    session = visit(shop, link)
    assert (session.mode, session.amount_total) == ("payment", 2100)
    pay(shop, session)
    intent_id = shop.client.v1.checkout.sessions.retrieve(session.id).payment_intent
    assert shop.client.v1.payment_intents.retrieve(intent_id).metadata.to_dict() == {"k": "v"}


def test_an_update_counts_for_the_next_visit(shop: Any) -> None:
    link = link_of(shop)
    before = visit(shop, link)
    (item,) = shop.client.v1.payment_links.line_items.list(link.id).data
    shop.client.v1.payment_links.update(
        link.id,
        {
            "metadata": {"plan": "pro"},
            "payment_method_types": ["card", "sepa_debit"],
            "payment_method_collection": "if_required",
            "subscription_data": {"metadata": {"entity": "7"}, "trial_period_days": 5},
            "line_items": [{"id": item.id, "adjustable_quantity": {"enabled": True, "maximum": 9}}],
        },
    )
    after = visit(shop, link)
    assert (before.metadata.to_dict(), after.metadata.to_dict()) == ({}, {"plan": "pro"})
    assert after.payment_method_types == ["card", "sepa_debit"]
    assert after.payment_method_collection == "if_required"
    (line,) = shop.client.v1.checkout.sessions.line_items.list(after.id).data
    assert (line.adjustable_quantity.enabled, line.adjustable_quantity.maximum) == (True, 9)
    pay(shop, after)
    paid = shop.client.v1.checkout.sessions.retrieve(after.id, {"expand": ["subscription"]})
    assert paid.subscription.status == "trialing"
    assert paid.subscription.metadata.to_dict() == {"entity": "7"}


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"line_items": None}, "line_items"),
        ({"line_items": [{"quantity": 1}]}, "line_items[0][price]"),
        ({"line_items": [{"price": "price_none", "quantity": 1}]}, "line_items[0][price]"),
        ({"currency": "eur"}, "currency"),
        ({"payment_intent_data": {"description": "x"}}, "payment_intent_data"),
        ({"after_completion": {"type": "redirect"}}, "after_completion[redirect]"),
        (
            {"after_completion": {"type": "redirect", "redirect": {"url": "shop"}}},
            "after_completion[redirect][url]",
        ),
        (
            {"restrictions": {"completed_sessions": {"limit": 0}}},
            "restrictions[completed_sessions][limit]",
        ),
        ({"nonsense": "1"}, "nonsense"),
    ],
)
def test_what_a_link_must_and_must_not_have(shop: Any, changes: Any, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        link_of(shop, **{name: value for name, value in changes.items()})
    assert (caught.value.http_status, caught.value.param) == (400, param)


def test_too_many_lines_are_refused(shop: Any) -> None:
    lines = [{"price": shop.price, "quantity": 1}] * 21
    with pytest.raises(stripe.InvalidRequestError, match="20"):
        link_of(shop, line_items=lines)


def test_what_a_link_does_not_model_fails_loudly(shop: Any) -> None:
    for changes in (
        {"transfer_data": {"destination": "acct_1"}},
        {"automatic_tax": {"enabled": True}},
        {"shipping_address_collection": {"allowed_countries": ["DE"]}},
    ):
        with pytest.raises(stripe.APIError) as caught:
            link_of(shop, **changes)
        assert caught.value.http_status == 501
