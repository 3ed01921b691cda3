"""Payment links: made, and withdrawn. Neither is exclusive, and neither needs a customer."""

from __future__ import annotations

from typing import Final

from billing_common.contracts.commands import (
    CreatePaymentLink,
    DeactivatePaymentLink,
    ProductItem,
)
from billing_common.domain.idempotency import Action
from billing_common.domain.provider_objects import ProviderPaymentLink
from billing_common.domain.provider_outcome import ProviderFailure
from billing_common.storage.transaction import WriteConnection
from billing_common.stripe_api.port import Answer
from checkout.decisions import payment_link, payment_link_withdrawal
from checkout.decisions.deadlines import call_deadlines
from checkout.handlers.context import CheckoutContext, HeldLease
from checkout.handlers.provider_steps import ProviderRequest, ProviderSteps
from checkout.handlers.write_action import CustomerNeed, WriteAction
from checkout.repository.payment_links import (
    OwnedLink,
    find_link,
    find_product_prices,
)

Items = tuple[payment_link.Catalogued | payment_link.Named, ...]


async def _gather_items(
    connection: WriteConnection, context: CheckoutContext, payload: CreatePaymentLink
) -> Items:
    codes = {item.product_code for item in payload.items if isinstance(item, ProductItem)}
    prices = await find_product_prices(connection, codes=codes, provider=context.provider_name)
    return tuple(
        payment_link.Catalogued(prices.get(item.product_code), item.quantity)
        if isinstance(item, ProductItem)
        else payment_link.Named(item.name, item.amount_minor, item.currency, item.quantity)
        for item in payload.items
    )


async def _create(
    context: CheckoutContext, request: ProviderRequest, _lease: HeldLease
) -> Answer[ProviderPaymentLink] | ProviderFailure:
    return await context.provider.create_payment_link(
        request.frozen.params_json, idempotency_key=request.provider_idempotency_key
    )


async def _withdraw(
    context: CheckoutContext, request: ProviderRequest, _lease: HeldLease
) -> Answer[ProviderPaymentLink] | ProviderFailure:
    return await context.provider.deactivate_payment_link(
        payment_link_withdrawal.link_of(request.frozen),
        idempotency_key=request.provider_idempotency_key,
    )


async def _retrieve(
    context: CheckoutContext, payment_link_id: str
) -> Answer[ProviderPaymentLink] | ProviderFailure:
    return await context.provider.retrieve_payment_link(payment_link_id)


def _is_of_operation(request: ProviderRequest, found: ProviderPaymentLink) -> bool:
    return (
        found.operation_key == request.operation_key
        and found.billable_entity_id == request.billable_entity_id
    )


def _is_the_named_one(request: ProviderRequest, found: ProviderPaymentLink) -> bool:
    return (
        found.id == payment_link_withdrawal.link_of(request.frozen)
        and found.billable_entity_id == request.billable_entity_id
    )


PAYMENT_LINK: Final[WriteAction[CreatePaymentLink, Items, ProviderPaymentLink]] = WriteAction(
    payload=CreatePaymentLink,
    name=Action.PAYMENT_LINK,
    flow=None,
    schema_version=payment_link.SCHEMA_VERSION,
    customer=CustomerNeed.KNOWN,
    is_exclusive=False,
    deadlines=call_deadlines,
    gather=_gather_items,
    decide=payment_link.decide_payment_link,
    steps=ProviderSteps(
        create=_create,
        retrieve=_retrieve,
        look=None,
        is_ours=_is_of_operation,
        rank=lambda found: (found.id,),
        clean_ups=payment_link.withdrawals,
    ),
    bind=payment_link.bind_payment_link,
)


async def _gather_link(
    connection: WriteConnection, context: CheckoutContext, payload: DeactivatePaymentLink
) -> OwnedLink | None:
    return await find_link(
        connection,
        provider=context.provider_name,
        operation_key=payload.payment_link_operation_key,
    )


PAYMENT_LINK_WITHDRAWAL: Final[
    WriteAction[DeactivatePaymentLink, OwnedLink | None, ProviderPaymentLink]
] = WriteAction(
    payload=DeactivatePaymentLink,
    name=Action.PAYMENT_LINK_DEACTIVATION,
    flow=None,
    schema_version=payment_link_withdrawal.SCHEMA_VERSION,
    customer=CustomerNeed.KNOWN,
    is_exclusive=False,
    deadlines=call_deadlines,
    gather=_gather_link,
    decide=payment_link_withdrawal.decide_withdrawal,
    steps=ProviderSteps(
        create=_withdraw,
        retrieve=_retrieve,
        look=None,
        is_ours=_is_the_named_one,
        rank=lambda found: (found.id,),
        clean_ups=lambda _found: (),
    ),
    bind=payment_link_withdrawal.bind_withdrawal,
)
