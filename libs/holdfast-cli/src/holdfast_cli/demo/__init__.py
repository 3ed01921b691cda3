"""`holdfast demo`: one subscription, bought end to end, with the time of every hop."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta

from billing_common.contracts.topics import TopicNames
from holdfast_cli.demo.gateway_client import Checkout, DirectorySync, GatewayClient
from holdfast_cli.demo.plans import offer_plans
from holdfast_cli.demo.purchase import Purchase, buy, trace_hops, utc_now
from holdfast_cli.demo.report import show_next_steps, show_purchase
from holdfast_cli.demo.stripe_shop import REAL_STRIPE, SoldSubscription, StripeShop
from holdfast_cli.demo.topic_watch import TopicWatch
from holdfast_cli.environment import database_url, kafka_bootstrap_servers
from holdfast_cli.failures import StackFailure
from holdfast_cli.local_secrets import LocalSecrets, load_secrets
from holdfast_cli.progress import Progress
from holdfast_cli.stack import Stack
from holdfast_cli.tokens import mint_token

# Synced by every demo and never used by it: the README's own curl lines buy for this one.
README_USER = "demo-user"
README_WORKSPACE = "demo"

_PLAN_CODE = "starter"
_PAID_AT_ONCE_SECONDS = 30.0
_PAID_BY_A_PERSON_SECONDS = 900.0


def run_demo(stack: Stack, progress: Progress) -> None:
    """Seed, buy, show. Raises StackFailure unless exactly one active subscription came out."""
    asyncio.run(_Demo(stack, progress).run())


class _Demo:
    def __init__(self, stack: Stack, progress: Progress) -> None:
        self._stack = stack
        self._settings = stack.settings
        self._progress = progress
        self._secrets: LocalSecrets = load_secrets(stack.paths.secrets_file)
        account = stack.settings.stripe_account
        self._shop = StripeShop(
            base_url=REAL_STRIPE if account else stack.settings.url_of("stripe-double"),
            secret_key=account.secret_key if account else self._secrets.stripe_secret_key,
        )
        # Each demo has a buyer of its own: an entity has at most one live subscription.
        self._buyer = f"buyer-{secrets.token_hex(4)}"

    async def run(self) -> None:
        await self._seed()
        names = TopicNames(self._settings.passthrough.get("KAFKA_TOPIC_PREFIX", ""))
        async with TopicWatch(kafka_bootstrap_servers(self._settings), names) as watch:
            purchase = await self._buy()
            sold = await self._check(purchase)
            hops = await trace_hops(purchase, watch, names, customer_id=sold.customer_id)
        show_purchase(self._progress.console, purchase, hops, sold)
        show_next_steps(self._progress.console, self._stack, workspace_slug=README_WORKSPACE)

    async def _seed(self) -> None:
        with self._progress.step("demo: plans at Stripe and in Holdfast") as step:
            plans = await offer_plans(
                self._shop,
                database_url=database_url("hf_migrate", self._settings, self._secrets),
                currency=self._settings.currency,
                now=utc_now(),
            )
            step.result = ", ".join(plans)
        with self._progress.step("demo: users and workspaces") as step:
            directory = DirectorySync(
                self._settings.url_of("api-gateway"), service_token=self._secrets.service_token
            )
            for user, workspace in ((README_USER, README_WORKSPACE), (self._buyer, self._buyer)):
                await directory.put_user(user, display_name=f"Demo {user}")
                await directory.put_workspace(workspace, name=f"Demo {workspace}", owner=user)
            step.result = f"{README_WORKSPACE}, {self._buyer}"

    async def _buy(self) -> Purchase:
        token = mint_token(
            self._secrets.jwt_shared_secret,
            subject=self._buyer,
            now=utc_now(),
            lifetime=timedelta(hours=1),
        )
        gateway = GatewayClient(
            self._settings.url_of("api-gateway"), user_token=token, workspace_slug=self._buyer
        )
        with self._progress.step(f"demo: {self._buyer} buys {_PLAN_CODE}"):
            return await buy(
                gateway,
                plan_code=_PLAN_CODE,
                idempotency_key=f"demo-{secrets.token_hex(8)}",
                pay=self._pay,
                payment_seconds=(
                    _PAID_AT_ONCE_SECONDS
                    if self._stack.uses_stripe_double
                    else _PAID_BY_A_PERSON_SECONDS
                ),
            )

    async def _pay(self, checkout: Checkout) -> None:
        self._progress.say(f"    operation {checkout.operation_key}")
        self._progress.say(f"    page      {checkout.checkout_url}")
        if self._stack.uses_stripe_double:
            await self._shop.pay_on_hosted_page(checkout.checkout_url, name=f"Demo {self._buyer}")
        else:
            self._progress.say(
                "    pay there with card 4242 4242 4242 4242, any future date and CVC"
            )

    async def _check(self, purchase: Purchase) -> SoldSubscription:
        """Stripe's own books decide whether the demo succeeded."""
        with self._progress.step("demo: Stripe's books agree") as step:
            sold = await self._shop.sold_subscriptions(purchase.checkout.checkout_url)
            if len(sold) != 1 or sold[0].status != "active":
                found = ", ".join(f"{one.id} {one.status}" for one in sold) or "none"
                raise StackFailure(
                    f"Stripe has not exactly one active subscription of the buyer, but: {found}.",
                    way_out=("Read the logs: holdfast logs checkout; holdfast logs projection",),
                )
            step.result = "exactly one subscription, active"
        return sold[0]
