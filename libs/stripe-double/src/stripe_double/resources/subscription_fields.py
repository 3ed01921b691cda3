"""Fields of a subscription that create and update set alike, checked as Stripe checks them."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request, parameter_invalid, parameter_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.subscription_states import (
    cancellation,
    first_period_end,
    last_period_end,
)

DAY_SECONDS = 86_400
MAX_TRIAL_SECONDS = 730 * DAY_SECONDS
MAX_DAYS_UNTIL_DUE = 3650
PLAIN = (
    "collection_method default_payment_method description days_until_due "
    "invoice_settings.description invoice_settings.footer payment_settings.payment_method_types[] "
    "payment_settings.save_default_payment_method cancel_at cancel_at_period_end trial_end "
    "trial_from_plan trial_settings.end_behavior.missing_payment_method metadata metadata.* "
    "payment_behavior proration_behavior off_session"
)


def plain_fields(tx: Transaction, customer: Record, params: JsonObject) -> JsonObject:
    """The values of those given parameters that are fields as they are."""
    values: JsonObject = {}
    if "description" in params:
        values["description"] = params["description"] or None
    if "default_payment_method" in params:
        values["default_payment_method"] = own_method(
            tx, customer, params, "default_payment_method"
        )
    if params.get("collection_method"):
        values["collection_method"] = params["collection_method"]
    if "days_until_due" in params:
        check_days_until_due(params["days_until_due"])
        values["days_until_due"] = params["days_until_due"]
    if values.get("collection_method") == "send_invoice" and not params.get("days_until_due"):
        raise parameter_missing("days_until_due")
    if params.get("invoice_settings"):
        given = params["invoice_settings"]
        values["invoice_settings"] = {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": given.get("description") or None,
            "footer": given.get("footer") or None,
            "issuer": {"type": "self"},
        }
    if params.get("payment_settings"):
        given = params["payment_settings"]
        values["payment_settings"] = {
            "payment_method_options": None,
            "payment_method_types": given.get("payment_method_types") or ["card"],
            "save_default_payment_method": given.get("save_default_payment_method") or "off",
        }
    return values


def check_days_until_due(days: int | str | None) -> None:
    """ApiError 400 for a number of days that leads nowhere. The upper bound is a guess."""
    if isinstance(days, int) and not 1 <= days <= MAX_DAYS_UNTIL_DUE:
        raise parameter_invalid(
            "days_until_due",
            f"`days_until_due` must be between 1 and {MAX_DAYS_UNTIL_DUE}.",
            "parameter_invalid_integer",
        )


def wanted_trial_end(tx: Transaction, params: JsonObject) -> int | None:
    """When the trial of a new subscription ends; None: there is none. ApiError 400."""
    days, end = params.get("trial_period_days"), params.get("trial_end")
    if days and end:
        raise invalid_request(
            "You may only specify one of these parameters: trial_end, trial_period_days.",
            param="trial_end",
        )
    if days is not None and not 0 <= days <= 730:
        raise invalid_request(
            "Invalid trial_period_days: must be between 1 and 730.", param="trial_period_days"
        )
    if days:
        return tx.now + int(days) * DAY_SECONDS
    if end is None or end == "now":
        return None
    return checked_trial_end(tx, int(end))


def checked_trial_end(tx: Transaction, end: int) -> int:
    """A second in the future, two years away at most, or ApiError 400."""
    if end <= tx.now:
        raise invalid_request(
            "Invalid timestamp: must be an integer Unix timestamp in the future.",
            param="trial_end",
        )
    if end > tx.now + MAX_TRIAL_SECONDS:
        raise invalid_request("A trial can last at most two years.", param="trial_end")
    return end


def trial_settings(params: JsonObject, before: Record | None) -> JsonObject:
    """`trial_settings` as given, else as before, else Stripe's default."""
    given = (params.get("trial_settings") or {}).get("end_behavior") or {}
    kept = {} if before is None else before["end_behavior"]
    return {
        "end_behavior": {
            "billing_cycle_anchor": kept.get("billing_cycle_anchor"),
            "missing_payment_method": given.get("missing_payment_method")
            or kept.get("missing_payment_method")
            or "create_invoice",
        }
    }


def ending(tx: Transaction, subscription: Record, params: JsonObject) -> JsonObject:
    """What `cancel_at_period_end` and `cancel_at` set; nothing when neither changes anything."""
    wanted, at = params.get("cancel_at_period_end"), params.get("cancel_at")
    if wanted and at:
        raise invalid_request(
            "You may only specify one of these parameters: cancel_at, cancel_at_period_end.",
            param="cancel_at",
        )
    details = params.get("cancellation_details")
    if at:
        return _ends(tx, _second(tx, subscription, at), period_end=False, given=details)
    if wanted and not subscription["cancel_at_period_end"]:
        return _ends(tx, last_period_end(subscription), period_end=True, given=details)
    takes_back = wanted is False and subscription["cancel_at_period_end"]
    if takes_back or (at == "" and subscription["cancel_at"] is not None):
        return {
            "cancel_at": None,
            "cancel_at_period_end": False,
            "canceled_at": None,
            "cancellation_details": cancellation(None, details),
        }
    if details is not None:
        reason = subscription["cancellation_details"]["reason"]
        return {"cancellation_details": cancellation(reason, details)}
    return {}


def _ends(tx: Transaction, second: int, *, period_end: bool, given: Record | None) -> JsonObject:
    return {
        "cancel_at": second,
        "cancel_at_period_end": period_end,
        "canceled_at": tx.now,
        "cancellation_details": cancellation("cancellation_requested", given),
    }


def _second(tx: Transaction, subscription: Record, at: int | str) -> int:
    if at == "min_period_end":
        return first_period_end(subscription)
    if isinstance(at, str):
        return last_period_end(subscription)
    if at <= tx.now:
        raise invalid_request("`cancel_at` must be in the future.", param="cancel_at")
    return at


def own_method(tx: Transaction, customer: Record, params: JsonObject, name: str) -> str | None:
    """The id of the customer's payment method in the parameter `name`; ApiError 400."""
    method_id = params[name]
    if not method_id:
        return None
    method = tx.get("payment_method", method_id, param=name)
    if method["customer"] != customer["id"]:
        raise invalid_request(
            f"The customer does not have a payment method with the ID {method_id}. The payment "
            "method must be attached to the customer.",
            param=name,
        )
    return str(method["id"])
