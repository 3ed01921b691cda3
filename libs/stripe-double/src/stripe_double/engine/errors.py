"""Errors in Stripe's shape. The code in front of the handlers turns them into HTTP answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from stripe_double.engine.records import JsonObject


@dataclass(eq=False)
class ApiError(Exception):
    """One refused request: HTTP `status` and the members of Stripe's `error` object."""

    status: int
    type: str
    message: str
    code: str | None = None
    param: str | None = None
    decline_code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    details: JsonObject = field(default_factory=dict)
    """Further members of `error`: the charge, the payment intent, the payment method."""
    from_state: bool | None = None
    """True: the state of an object refused it. None: told by the other members, see
    `idempotency.is_from_execution`."""

    def __str__(self) -> str:
        return self.message

    def body(self, request_id: str) -> JsonObject:
        """The JSON body that goes with `status`."""
        error: JsonObject = {"type": self.type, "message": self.message}
        for name in ("code", "param", "decline_code"):
            value = getattr(self, name)
            if value is not None:
                error[name] = value
        error |= self.details
        if self.code is not None:
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": error}


def invalid_request(
    message: str, *, code: str | None = None, param: str | None = None, status: int = 400
) -> ApiError:
    """A request that Stripe would refuse as malformed or impossible."""
    return ApiError(status, "invalid_request_error", message, code=code, param=param)


def state_conflict(message: str, *, code: str | None = None, param: str | None = None) -> ApiError:
    """A well-formed request that the state of an object forbids, e.g. an inactive price.

    Unlike a validation failure it is the result of an execution: kept under the idempotency key.
    """
    return ApiError(400, "invalid_request_error", message, code=code, param=param, from_state=True)


def parameter_missing(param: str) -> ApiError:
    """A required parameter is absent or empty."""
    return invalid_request(
        f"Missing required param: {param}.", code="parameter_missing", param=param
    )


def parameter_unknown(param: str) -> ApiError:
    """Stripe itself does not know this parameter."""
    return invalid_request(
        f"Received unknown parameter: {param}", code="parameter_unknown", param=param
    )


def parameter_invalid(param: str, message: str, code: str | None = None) -> ApiError:
    """Stripe knows the parameter; this value is not allowed."""
    return invalid_request(message, code=code, param=param)


def resource_missing(
    kind: str, object_id: str, *, param: str = "id", status: int = 404
) -> ApiError:
    """No such object. `kind` is the object type as Stripe words it, e.g. `customer`."""
    return invalid_request(
        f"No such {kind}: '{object_id}'", code="resource_missing", param=param, status=status
    )


def not_modelled(what: str, *, param: str | None = None) -> ApiError:
    """Valid at Stripe, not modelled here. Loud on purpose: never ignored, never retried."""
    return ApiError(
        501,
        "api_error",
        f"stripe-double does not model {what}. Stripe would accept it; this double refuses "
        "rather than ignore it.",
        code="not_modelled_by_stripe_double",
        param=param,
        headers={"Stripe-Should-Retry": "false"},
    )


def internal_error(status: int = 500) -> ApiError:
    """Something broke at Stripe; `status` 500 to 599."""
    return ApiError(status, "api_error", "An unknown error occurred while processing the request.")


_DECLINES = {
    "authentication_required": (
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
    ),
    "card_velocity_exceeded": (
        "card_declined",
        "Your card was declined for making repeated attempts too frequently or exceeding its "
        "amount limit.",
    ),
    "expired_card": ("expired_card", "Your card has expired."),
    "incorrect_cvc": ("incorrect_cvc", "Your card's security code is incorrect."),
    "insufficient_funds": ("card_declined", "Your card has insufficient funds."),
    "processing_error": (
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
}


def decline_of(decline_code: str) -> tuple[str, str]:
    """Stripe's error code and sentence for a bank's refusal."""
    return _DECLINES.get(decline_code, ("card_declined", "Your card was declined."))


def card_declined(decline_code: str, details: JsonObject | None = None) -> ApiError:
    """The bank said no."""
    code, message = decline_of(decline_code)
    return ApiError(
        402,
        "card_error",
        message,
        code=code,
        decline_code=decline_code,
        details=details or {},
    )
