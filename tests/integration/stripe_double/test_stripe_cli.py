"""Stripe's own CLI drives the double: `stripe trigger … --api-base`, every trigger it has."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.stripe_double.stripe_cli import OutOfReachError, Run, StripeCli, find

from stripe_double.testing import RunningDouble, running_double

pytestmark = pytest.mark.stripe_cli


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The CLI names no version, so its requests are of the account's own: one whose parameters are
# spelled as the CLI spells them (`payment_method_types`, `coupon` of a promotion code).
ACCOUNT_VERSION = "2025-08-27.basil"

SUCCEED = words(
    """
    balance.available billing_portal.configuration.created billing_portal.configuration.updated
    billing_portal.session.created
    cash_balance.funds_available customer_cash_balance_transaction.created
    charge.captured charge.dispute.closed charge.dispute.created charge.dispute.updated
    charge.failed charge.refund.updated charge.refunded charge.succeeded
    checkout.session.async_payment_failed checkout.session.async_payment_succeeded
    checkout.session.completed checkout.session.expired
    coupon.created coupon.deleted coupon.updated
    credit_note.created credit_note.updated credit_note.voided
    customer.created customer.deleted customer.source.created customer.source.updated
    customer.subscription.created customer.subscription.deleted customer.subscription.paused
    customer.subscription.trial_will_end customer.subscription.updated customer.updated
    invoice.created invoice.deleted invoice.finalized invoice.marked_uncollectible invoice.paid
    invoice.payment_action_required invoice.payment_failed invoice.payment_succeeded invoice.sent
    invoice.updated invoice.voided invoiceitem.created invoiceitem.deleted
    payment_intent.amount_capturable_updated payment_intent.canceled payment_intent.created
    payment_intent.partially_funded payment_intent.payment_failed payment_intent.processing
    payment_intent.requires_action payment_intent.succeeded
    payment_link.created payment_link.updated
    payment_method.attached payment_method.detached payment_method.updated
    price.created price.updated product.created product.deleted product.updated
    promotion_code.created promotion_code.updated
    setup_intent.canceled setup_intent.created setup_intent.requires_action
    setup_intent.setup_failed setup_intent.succeeded
    subscription.payment_failed subscription.payment_succeeded
    subscription_schedule.aborted
    test_helpers.test_clock.advancing test_helpers.test_clock.created
    test_helpers.test_clock.deleted test_helpers.test_clock.ready
    """
)
# Triggers that are not named after the event they make.
MAKES = {
    "subscription.payment_failed": "invoice.payment_failed",
    "subscription.payment_succeeded": "invoice.payment_succeeded",
    "subscription_schedule.aborted": "subscription_schedule.canceled",
}
# Not billing, or not modelled: the trigger fails, and the double says what it does not model.
REFUSED = words(
    """
    identity.verification_session.created issuing_cardholder.created payout.created plan.created
    quote.created reporting.report_run.succeeded tax_rate.created topup.created transfer.created
    """
)


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> StripeCli:
    try:
        program: Path = find()
    except OutOfReachError as error:
        pytest.skip(f"Stripe's CLI is out of reach: {error}")
    return StripeCli(program, tmp_path_factory.mktemp("home"))


@dataclass
class Triggered:
    """What became of every trigger, run against one double."""

    runs: dict[str, Run]
    events: set[str]
    unversioned: bool


@pytest.fixture(scope="module")
def double() -> Iterator[RunningDouble]:
    with running_double(seed="cli", account_api_version=ACCOUNT_VERSION) as served:
        yield served


def trigger(cli: StripeCli, double: RunningDouble, event: str, *options: str) -> Run:
    where = ("--api-base", double.url, "--api-key", double.api_key)
    return cli.run("trigger", event, *where, *options)


@pytest.fixture(scope="module")
def triggered(cli: StripeCli, double: RunningDouble) -> Triggered:
    wanted = sorted(SUCCEED | REFUSED)
    with ThreadPoolExecutor(max_workers=3) as pool:
        runs = dict(
            zip(wanted, pool.map(lambda event: trigger(cli, double, event), wanted), strict=True)
        )
    double.call(lambda control: control.advance(600))
    requests = double.ledger("request")
    return Triggered(
        runs,
        {event["type"] for event in double.call(lambda control: control.objects("event"))},
        unversioned=all(request["idempotency_key"] is None for request in requests),
    )


def test_the_list_names_triggers_that_exist(cli: StripeCli) -> None:
    assert cli.triggers() >= SUCCEED | REFUSED


def test_every_trigger_for_billing_succeeds(triggered: Triggered) -> None:
    failed = {name: run.output for name, run in triggered.runs.items() if run.code != 0}
    assert {name: failed[name] for name in failed.keys() & SUCCEED} == {}


def test_every_trigger_makes_its_event(triggered: Triggered) -> None:
    assert {MAKES.get(name, name) for name in SUCCEED} - triggered.events == set()


def test_what_is_not_modelled_makes_its_trigger_fail_by_name(triggered: Triggered) -> None:
    quiet = [
        name
        for name in REFUSED
        if triggered.runs[name].code == 0
        or "not_modelled_by_stripe_double" not in triggered.runs[name].output
    ]
    assert quiet == []


def test_the_cli_sends_no_idempotency_key(triggered: Triggered) -> None:
    assert triggered.unversioned


def test_a_version_may_be_named(cli: StripeCli, double: RunningDouble) -> None:
    run = trigger(cli, double, "charge.refunded", "--api-version", "2026-03-25.dahlia")
    assert run.code == 0, run.output
    refused = trigger(cli, double, "charge.refunded", "--api-version", "2026-10-28.endive")
    assert refused.code != 0
    assert "payment_method_types" in refused.output
