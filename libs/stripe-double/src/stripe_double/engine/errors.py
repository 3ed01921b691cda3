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

    def __str__(self) -> str:
        return self.message

    def body(self, request_id: str) -> JsonObject:
        """The JSON body that goes with `status`."""
        error: JsonObject = {"type": self.type, "message": self.message}
        for name in ("code", "param", "decline_code"):
            value = getattr(self, name)
            if value is not None:
                error[name] = value
        if self.code is not None:
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": error}


def invalid_request(
    message: str, *, code: str | None = None, param: str | None = None, status: int = 400
) -> ApiError:
    """A request that Stripe would refuse as malformed or impossible."""
    return ApiError(status, "invalid_request_error", message, code=code, param=param)


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


def card_declined(decline_code: str) -> ApiError:
    """The bank said no."""
    reasons = {
        "insufficient_funds": "Your card has insufficient funds.",
        "expired_card": "Your card has expired.",
    }
    return ApiError(
        402,
        "card_error",
        reasons.get(decline_code, "Your card was declined."),
        code="expired_card" if decline_code == "expired_card" else "card_declined",
        decline_code=decline_code,
    )
