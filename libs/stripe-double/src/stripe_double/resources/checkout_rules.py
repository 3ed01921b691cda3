"""What parameters of a new Checkout Session go together. Pure: ApiError 400 or nothing."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request, parameter_invalid, parameter_missing
from stripe_double.engine.records import JsonObject
from stripe_double.resources.links import checked_url

MIN_LIFE_SECONDS = 30 * 60
MAX_LIFE_SECONDS = 24 * 3600
HOSTED = "hosted_page"

_ONLY_IN_MODE = (
    ("subscription_data", ("subscription",)),
    ("payment_intent_data", ("payment",)),
    ("setup_intent_data", ("setup",)),
    ("invoice_creation", ("payment",)),
    ("customer_creation", ("payment", "setup")),
    ("payment_method_collection", ("subscription",)),
    ("discounts", ("payment", "subscription")),
    ("allow_promotion_codes", ("payment", "subscription")),
)
_EXCLUSIVE = (
    ("customer", "customer_email"),
    ("customer", "customer_creation"),
    ("discounts", "allow_promotion_codes"),
)


def check_new(mode: str, params: JsonObject) -> None:
    """Whether these parameters make a session in `mode`."""
    _check_addresses(params)
    for one, other in _EXCLUSIVE:
        if params.get(one) and params.get(other):
            raise invalid_request(f"You may only specify one of these parameters: {one}, {other}.")
    for name, modes in _ONLY_IN_MODE:
        if params.get(name) and mode not in modes:
            raise invalid_request(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    if params.get("customer_update") and not params.get("customer"):
        raise parameter_invalid(
            "customer_update", "`customer_update` can only be used with `customer`."
        )
    if mode == "setup" and not params.get("currency"):
        raise parameter_missing("currency")
    if mode == "setup" and params.get("line_items"):
        raise parameter_invalid("line_items", "You can not pass `line_items` in `setup` mode.")
    _check_trial(params.get("subscription_data") or {})


def _check_addresses(params: JsonObject) -> None:
    hosted = params.get("ui_mode", HOSTED) == HOSTED
    for name in ("success_url", "cancel_url", "return_url"):
        checked_url(params.get(name), name)
    if hosted:
        if not params.get("success_url"):
            raise parameter_missing("success_url")
        unsuitable = ("return_url", "redirect_on_completion")
    else:
        never = params.get("redirect_on_completion") == "never"
        if never == bool(params.get("return_url")):
            if never:
                raise parameter_invalid(
                    "return_url", "`return_url` is not used when nothing redirects."
                )
            raise parameter_missing("return_url")
        unsuitable = ("success_url", "cancel_url")
    for name in unsuitable:
        if params.get(name):
            raise parameter_invalid(
                name,
                f"`{name}` cannot be used when `ui_mode` is `{params.get('ui_mode', HOSTED)}`.",
            )


def _check_trial(data: JsonObject) -> None:
    days = data.get("trial_period_days")
    if days is not None and not 1 <= days <= 730:
        raise parameter_invalid(
            "subscription_data[trial_period_days]", "The trial must last between 1 and 730 days."
        )
    if days is not None and data.get("trial_end"):
        raise invalid_request(
            "You may only specify one of these parameters: subscription_data[trial_end], "
            "subscription_data[trial_period_days]."
        )


def expires_at(now: int, params: JsonObject) -> int:
    """When an unpaid session ends: 30 minutes to 24 hours from now."""
    given = params.get("expires_at")
    if given is None:
        return now + MAX_LIFE_SECONDS
    if given < now + MIN_LIFE_SECONDS:
        raise parameter_invalid(
            "expires_at",
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session "
            "creation.",
        )
    if given > now + MAX_LIFE_SECONDS:
        raise parameter_invalid(
            "expires_at",
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
        )
    return int(given)
