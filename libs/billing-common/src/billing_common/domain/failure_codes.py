"""The closed set of failure codes: persisted, and returned unchanged as `error.code`.

The table gives each code its HTTP status, whether the same key may be tried again (a transient
block is never stored), what happened, and the way out. docs/errors.md is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class FailureCode(StrEnum):
    """Every code a client can see. Adding one is an API change."""

    # authentication, selection, permission
    AUTHENTICATION_REQUIRED = "authentication_required"
    BILLING_ENTITY_FORBIDDEN = "billing_entity_forbidden"
    BILLING_PERMISSION_REQUIRED = "billing_permission_required"
    WORKSPACE_SELECTION_REQUIRED = "workspace_selection_required"
    SERVICE_SCOPE_REQUIRED = "service_scope_required"
    # request
    VALIDATION_FAILED = "validation_failed"
    IDEMPOTENCY_KEY_REQUIRED = "idempotency_key_required"
    IDEMPOTENCY_KEY_INVALID = "idempotency_key_invalid"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    RATE_LIMITED = "rate_limited"
    # idempotency
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    REQUEST_IN_PROGRESS = "request_in_progress"
    CHECKOUT_IN_PROGRESS = "checkout_in_progress"
    COMMAND_DEADLINE_ELAPSED = "command_deadline_elapsed"
    # checkout
    CHECKOUT_SESSION_OPEN = "checkout_session_open"
    CHECKOUT_COMPLETION_PENDING = "checkout_completion_pending"
    CHECKOUT_RECOVERY_VERIFICATION_PENDING = "checkout_recovery_verification_pending"
    CHECKOUT_PLAN_NOT_FOUND = "checkout_plan_not_found"
    CHECKOUT_CONFIGURATION_INVALID = "checkout_configuration_invalid"
    SUBSCRIPTION_EXISTS_USE_PORTAL = "subscription_exists_use_portal"
    PAYMENT_LINK_PRODUCT_NOT_FOUND = "payment_link_product_not_found"
    PAYMENT_LINK_NOT_FOUND = "payment_link_not_found"
    PORTAL_SUBSCRIPTION_REQUIRED = "portal_subscription_required"
    CHECKOUT_RECOVERY_WINDOW_ELAPSED = "checkout_recovery_window_elapsed"
    CHECKOUT_REPLAY_PROVENANCE_MISMATCH = "checkout_replay_provenance_mismatch"
    CHECKOUT_PROVIDER_ERROR = "checkout_provider_error"
    # webhook
    WEBHOOK_BODY_MISSING = "webhook_body_missing"
    WEBHOOK_SIGNATURE_MISSING = "webhook_signature_missing"
    WEBHOOK_SIGNATURE_INVALID = "webhook_signature_invalid"
    WEBHOOK_PAYLOAD_INVALID = "webhook_payload_invalid"
    WEBHOOK_MODE_MISMATCH = "webhook_mode_mismatch"
    # service
    SERVICE_UNAVAILABLE = "service_unavailable"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, slots=True)
class Failure:
    """What a code means on the wire. `is_transient`: retrying the same key may succeed."""

    http_status: int
    title: str
    way_out: str
    is_transient: bool

    @property
    def message(self) -> str:
        """Both sentences, for a person."""
        return f"{self.title} {self.way_out}"


def _final(http_status: int, title: str, way_out: str) -> Failure:
    return Failure(http_status, title, way_out, is_transient=False)


def _transient(http_status: int, title: str, way_out: str) -> Failure:
    return Failure(http_status, title, way_out, is_transient=True)


FAILURES: Final[Mapping[FailureCode, Failure]] = MappingProxyType(
    {
        FailureCode.AUTHENTICATION_REQUIRED: _final(
            401, "Nobody is signed in.", "Send a valid bearer token."
        ),
        FailureCode.BILLING_ENTITY_FORBIDDEN: _final(
            403,
            "This billing account does not exist or you may not use it.",
            "Choose one of your own.",
        ),
        FailureCode.BILLING_PERMISSION_REQUIRED: _final(
            403, "You may see this billing account but not change it.", "Ask a billing manager."
        ),
        FailureCode.WORKSPACE_SELECTION_REQUIRED: _final(
            409,
            "You can use several billing accounts.",
            "Say which one with x-workspace-slug or x-billable-entity-id.",
        ),
        FailureCode.SERVICE_SCOPE_REQUIRED: _final(
            403,
            "This service token does not allow that.",
            "Use a token with the scope that details.scope names.",
        ),
        FailureCode.VALIDATION_FAILED: _final(
            400,
            "The request is not valid.",
            "See field_errors for which fields and why, and correct them.",
        ),
        FailureCode.IDEMPOTENCY_KEY_REQUIRED: _final(
            400, "The Idempotency-Key header is missing.", "Send one: a new value per click."
        ),
        FailureCode.IDEMPOTENCY_KEY_INVALID: _final(
            400,
            "This is no usable Idempotency-Key.",
            "Send 1 to 191 printable ASCII characters, once.",
        ),
        FailureCode.NOT_FOUND: _final(
            404, "There is nothing here.", "Check the address; what is not yours is not shown."
        ),
        FailureCode.METHOD_NOT_ALLOWED: _final(
            405, "This resource does not answer to that method.", "See the Allow header."
        ),
        FailureCode.PAYLOAD_TOO_LARGE: _final(
            413, "The body is larger than allowed.", "Send less; the README states the limits."
        ),
        FailureCode.RATE_LIMITED: _transient(
            429,
            "Too many requests in a short time.",
            "Wait as long as Retry-After says, then repeat it with the same key.",
        ),
        FailureCode.IDEMPOTENCY_CONFLICT: _final(
            409,
            "This Idempotency-Key was used with a different request.",
            "Use a new key for a new request.",
        ),
        FailureCode.REQUEST_IN_PROGRESS: _transient(
            409, "The same request is still being worked on.", "Ask again shortly, same key."
        ),
        FailureCode.CHECKOUT_IN_PROGRESS: _transient(
            409, "Another checkout of this account is being prepared.", "Try again shortly."
        ),
        FailureCode.COMMAND_DEADLINE_ELAPSED: _transient(
            503, "The request waited too long and was not started.", "Send it again, same key."
        ),
        FailureCode.CHECKOUT_SESSION_OPEN: _transient(
            409, "A checkout is already open for this account.", "Finish it or let it expire."
        ),
        FailureCode.CHECKOUT_COMPLETION_PENDING: _transient(
            409, "A paid checkout is being activated.", "It takes a moment; do not pay again."
        ),
        FailureCode.CHECKOUT_RECOVERY_VERIFICATION_PENDING: _transient(
            409,
            "The outcome of an earlier checkout is being verified with the payment provider.",
            "Try again later.",
        ),
        FailureCode.CHECKOUT_PLAN_NOT_FOUND: _final(
            404, "There is no such plan on sale.", "Choose one of GET /api/billing/plans."
        ),
        FailureCode.CHECKOUT_CONFIGURATION_INVALID: _final(
            409,
            "This plan cannot be sold as configured.",
            "Operators have been told; try again later with a new key.",
        ),
        FailureCode.SUBSCRIPTION_EXISTS_USE_PORTAL: _final(
            409, "This account already has a subscription.", "Change it in the billing portal."
        ),
        FailureCode.PAYMENT_LINK_PRODUCT_NOT_FOUND: _final(
            404,
            "One of the products is not on sale.",
            "Choose products of the catalogue, or state a name and an amount; use a new key.",
        ),
        FailureCode.PAYMENT_LINK_NOT_FOUND: _final(
            404,
            "This account has no such payment link.",
            "Name it by the operationKey that its creation answered with.",
        ),
        FailureCode.PORTAL_SUBSCRIPTION_REQUIRED: _final(
            409,
            "This account has no subscription to manage.",
            "Start one with a checkout; then open the portal with a new key.",
        ),
        FailureCode.CHECKOUT_RECOVERY_WINDOW_ELAPSED: _final(
            409, "This checkout can no longer be completed.", "Start a new one with a new key."
        ),
        FailureCode.CHECKOUT_REPLAY_PROVENANCE_MISMATCH: _final(
            409,
            "This checkout was begun by another version and cannot be repeated safely.",
            "Start a new one with a new key once it has been verified.",
        ),
        FailureCode.CHECKOUT_PROVIDER_ERROR: _final(
            502,
            "The payment provider refused this checkout.",
            "Operators have been told; try again later with a new key.",
        ),
        FailureCode.WEBHOOK_BODY_MISSING: _final(
            400, "The webhook has no body.", "Send the event's exact bytes."
        ),
        FailureCode.WEBHOOK_SIGNATURE_MISSING: _final(
            400, "The Stripe-Signature header is missing.", "Send it as Stripe does."
        ),
        FailureCode.WEBHOOK_SIGNATURE_INVALID: _final(
            400,
            "The signature does not match the body, the secret or the time.",
            "Check the endpoint's signing secret and the clock.",
        ),
        FailureCode.WEBHOOK_PAYLOAD_INVALID: _final(
            400, "The signed body is not a Stripe event.", "Send the event's exact bytes."
        ),
        FailureCode.WEBHOOK_MODE_MISMATCH: _final(
            400,
            "The event belongs to another mode or account than this endpoint.",
            "Point the endpoint of that mode and account here.",
        ),
        FailureCode.SERVICE_UNAVAILABLE: _transient(
            503,
            "The service cannot do this right now; nothing was done.",
            "Try again shortly, same key.",
        ),
        FailureCode.INTERNAL_ERROR: _transient(
            500, "Something went wrong on our side.", "Try again with the same key."
        ),
    }
)
