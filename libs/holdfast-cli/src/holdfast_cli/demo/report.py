"""Tells what the demo did: hops with their times, ids, and where to look next."""

from __future__ import annotations

from datetime import datetime

from rich.console import Console
from rich.table import Table

from holdfast_cli.demo.purchase import Hop, Purchase
from holdfast_cli.demo.stripe_shop import SoldSubscription
from holdfast_cli.stack import Stack


def show_purchase(
    console: Console, purchase: Purchase, hops: list[Hop], sold: SoldSubscription
) -> None:
    """The table of hops, then the ids."""
    console.print()
    console.print(hop_table(hops))
    console.print()
    for heading, value in (
        ("plan", purchase.plan_code),
        ("billable entity", purchase.checkout.billable_entity_id),
        ("operation key", purchase.checkout.operation_key),
        ("Idempotency-Key", purchase.idempotency_key),
        ("subscription", f"{sold.id} ({sold.status} at Stripe)"),
        ("customer", sold.customer_id),
        ("as seen by the product", f"{purchase.subscription.get('status')}"),
    ):
        console.print(f"  {heading:<22} {value}", markup=False, soft_wrap=True)


def hop_table(hops: list[Hop]) -> Table:
    """Milliseconds since the hop before, and since the begin, in order of time."""
    table = Table(box=None, pad_edge=False)
    for heading in ("hop", "took", "since start", ""):
        table.add_column(heading, justify="right" if heading in {"took", "since start"} else "left")
    begin = previous = hops[0].at
    for hop in hops:
        if hop.at is None or begin is None or previous is None:
            table.add_row(hop.name, "?", "?", hop.detail)
            continue
        table.add_row(hop.name, _ms(hop.at, previous), _ms(hop.at, begin), hop.detail)
        previous = hop.at
    return table


def _ms(later: datetime, earlier: datetime) -> str:
    # Kafka's times are cut to milliseconds, so that a cause may seem to follow its effect.
    return f"{max(0.0, (later - earlier).total_seconds() * 1000):.0f} ms"


def show_next_steps(console: Console, stack: Stack, *, workspace_slug: str) -> None:
    """Addresses, and requests to try: the same lines as in the README."""
    gateway = stack.settings.url_of("api-gateway")
    lines = ["", "The stack stays up. Look at it:", f"  gateway       {gateway}"]
    if stack.uses_stripe_double:
        double = stack.settings.url_of("stripe-double")
        lines.append(f"  Stripe double {double}/_double/")
    lines += [
        f"  logs          holdfast logs -f        ({stack.paths.logs})",
        "  stop          make down",
        "",
        "Buy one yourself (as in the README):",
        *curl_lines(gateway, workspace_slug),
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def curl_lines(gateway: str, workspace_slug: str) -> list[str]:
    """Plans, subscribe, pay, the subscription: for the workspace that has none yet."""
    headers = f'-H "Authorization: Bearer $TOKEN" -H "X-Workspace-Slug: {workspace_slug}"'
    return [
        "  TOKEN=$(.venv/bin/holdfast token demo-user)",
        f"  curl -s {headers} {gateway}/api/billing/plans",
        f"  curl -s {headers} -H 'Idempotency-Key: my-first' \\",
        "    -H 'Content-Type: application/json' \\",
        '    -d \'{"planCode":"pro","successPath":"/done","cancelPath":"/back"}\' \\',
        f"    {gateway}/api/billing/checkout",
        "  # pay on the page at checkoutUrl (card 4242 4242 4242 4242), or: curl -X POST <url>/pay",
        f"  curl -s {headers} {gateway}/api/billing/subscription",
    ]
