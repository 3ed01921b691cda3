"""Request parameters by the train that added them. An older version does not know them.

Derived from the published wheels of the official SDK, one per train. `[]` is any item of a list.
"""

from __future__ import annotations

from collections.abc import Mapping

Names = Mapping[str, tuple[str, ...]]

_INVOICE_SETTINGS = "account_tax_ids custom_fields description footer"


def _under(prefix: str, names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{name}" for name in names.split())


ADDED: Mapping[str, Names] = {
    "endive": {
        "POST /v1/checkout/sessions": (
            "allowed_payment_method_types",
            "line_items[].price_data.product_data.tax_details",
            *_under("payment_method_options.", "blik sequra"),
            *_under("subscription_data.invoice_settings.", _INVOICE_SETTINGS),
        ),
        "POST /v1/subscriptions": (
            "items[].current_trial",
            "payment_settings.payment_method_options.blik",
            "trial_settings.end_behavior.billing_cycle_anchor",
        ),
        "POST /v1/subscriptions/{id}": (
            "items[].current_trial",
            "payment_settings.payment_method_options.blik",
            "trial_settings.end_behavior.billing_cycle_anchor",
        ),
        "POST /v1/invoices/create_preview": (
            "schedule_details.pause_schedules",
            "subscription_details.items[].current_trial",
            "subscription_details.pause",
        ),
        "POST /v1/payment_links": (
            "line_items[].price_data.product_data.tax_details",
            *_under("subscription_data.invoice_settings.", _INVOICE_SETTINGS),
        ),
        "POST /v1/billing_portal/sessions": ("after_expiration", "flow_data.subscription_pause"),
        "POST /v1/payment_intents": ("allowed_payment_method_types",),
        "POST /v1/setup_intents": ("allowed_payment_method_types",),
    },
    "dahlia": {
        "POST /v1/checkout/sessions": (
            *_under("", "integration_identifier managed_payments"),
            *_under("payment_method_options.", "crypto scalapay sunbit upi"),
            *_under(
                "subscription_data.", "billing_cycle_anchor_config pending_invoice_item_interval"
            ),
        ),
        "POST /v1/subscriptions": (
            "billing_schedules",
            "add_invoice_items[].discountable",
            *_under("invoice_settings.", "custom_fields description footer"),
        ),
        "POST /v1/subscriptions/{id}": (
            "billing_schedules",
            "add_invoice_items[].discountable",
            "cancellation_details.feedback_option",
            *_under("invoice_settings.", "custom_fields description footer"),
        ),
        "DELETE /v1/subscriptions/{id}": ("cancellation_details.feedback_option",),
        "POST /v1/invoices/create_preview": (
            "invoice_items[].quantity_decimal",
            *_under("subscription_details.", "billing_schedules metadata"),
        ),
        "POST /v1/payment_links": _under("", "managed_payments payment_method_options"),
    },
    "clover": {"POST /v1/promotion_codes": ("promotion",)},
}
