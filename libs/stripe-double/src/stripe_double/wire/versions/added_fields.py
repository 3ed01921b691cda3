"""Fields of objects by the train that added them. An older version does not show them.

Derived from the published wheels of the official SDK, one per train.
"""

from __future__ import annotations

from collections.abc import Mapping

Fields = Mapping[str, frozenset[str]]


def _fields(text: str) -> Fields:
    rows = (line.split(": ") for line in text.strip().splitlines())
    return {name.strip(): frozenset(fields.split()) for name, fields in rows}


ADDED: Mapping[str, Fields] = {
    "endive": _fields(
        """
        billing_portal.session: after_expiration
        checkout.session: allowed_payment_method_types
        dispute: intended_submission_method
        invoice: status_details
        invoiceitem: invoicing_rules
        payment_intent: payment_record
        payment_method: paypay sequra
        product: tax_details
        subscription: status_details
        subscription_item: current_trial
        subscription_schedule: pause_schedules
        """
    ),
    "dahlia": _fields(
        """
        checkout.session: integration_identifier managed_payments
        invoice: amount_paid_off_stripe
        invoiceitem: frozen_fields quantity_decimal
        line_item: quantity_decimal
        payment_intent: allowed_payment_method_types managed_payments
        payment_link: managed_payments payment_method_options
        payment_method: bizum scalapay sunbit upi
        refund: customer customer_account payment_method
        subscription: billing_schedules managed_payments presentment_details
        subscription_item: billed_until
        """
    ),
    "clover": _fields(
        """
        billing_portal.session: customer_account
        checkout.session: branding_settings customer_account excluded_payment_method_types \
name_collection
        credit_note: customer_account
        customer: business_name customer_account individual_name
        discount: customer_account source
        invoice: customer_account
        invoiceitem: customer_account net_amount proration_details
        line_item: subtotal
        payment_intent: customer_account hooks payment_details
        payment_link: name_collection
        payment_method: custom customer_account mb_way payto
        promotion_code: customer_account promotion
        subscription: customer_account
        subscription_schedule: customer_account
        """
    ),
}
