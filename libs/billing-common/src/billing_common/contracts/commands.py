"""Commands: what api-gateway (or reconciler) asks checkout to do. Topic billing.commands.v1."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from billing_common.contracts.envelope import Message, UtcTime

REPLY_PARTITION_HEADER = "reply-partition"


class Actor(Message):
    """Who asked: a signed-in user, or Holdfast itself."""

    kind: Literal["user", "service"]
    id: str


class BillingWrite(Message):
    """What every write of a client carries. Field names inside are ours, not Stripe's."""

    client_idempotency_key: str
    request_fingerprint_hash: str
    normalized_request: dict[str, Any]


class StartSubscriptionCheckout(BillingWrite):
    """Open one payable session for the plan."""

    type: Literal["start_subscription_checkout"] = "start_subscription_checkout"
    plan_code: str
    success_path: str
    cancel_path: str


class StartOneOffCheckout(BillingWrite):
    """Open one payable session for one thing that is not in the catalogue.

    `amount_minor` is the price of one piece, in minor units of `currency` (lower case).
    """

    type: Literal["start_one_off_checkout"] = "start_one_off_checkout"
    name: str
    amount_minor: int
    quantity: int
    currency: str
    success_path: str
    cancel_path: str


class OpenPortal(BillingWrite):
    """Open the provider's portal for the entity's customer, or one of its steps.

    `step`: what the customer came for; None is the portal's own first page.
    """

    type: Literal["open_portal"] = "open_portal"
    return_path: str
    step: Literal["cancel", "update", "payment_method"] | None = None


class ProductItem(Message):
    """`quantity` pieces of a product of the catalogue, at its one-time price."""

    kind: Literal["product"] = "product"
    product_code: str
    quantity: int


class AdHocItem(Message):
    """`quantity` pieces of something named here; `amount_minor` is the price of one."""

    kind: Literal["ad_hoc"] = "ad_hoc"
    name: str
    amount_minor: int
    currency: str
    quantity: int


class CreatePaymentLink(BillingWrite):
    """Make an address at which whoever has it can pay for the items, once."""

    type: Literal["create_payment_link"] = "create_payment_link"
    items: tuple[Annotated[ProductItem | AdHocItem, Field(discriminator="kind")], ...]
    success_path: str


class DeactivatePaymentLink(BillingWrite):
    """Withdraw a link of this entity, named by the operation that made it."""

    type: Literal["deactivate_payment_link"] = "deactivate_payment_link"
    payment_link_operation_key: str


class RecoverOperation(Message):
    """Finish an operation whose worker is gone: its lease has ended."""

    type: Literal["recover_operation"] = "recover_operation"
    idempotency_row_id: int


Payload = Annotated[
    StartSubscriptionCheckout
    | StartOneOffCheckout
    | OpenPortal
    | CreatePaymentLink
    | DeactivatePaymentLink
    | RecoverOperation,
    Field(discriminator="type"),
]


class Command(Message):
    """The envelope. `deadline_at`: after it the command is answered, not executed."""

    schema_version: Literal[1] = 1
    command_id: UUID
    operation_key: str
    billable_entity_id: int
    actor: Actor
    request_id: str
    issued_at: UtcTime
    deadline_at: UtcTime
    traceparent: str | None = None
    payload: Payload
