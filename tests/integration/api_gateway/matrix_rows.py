"""What the isolation matrix knows of each route. A route of the document without a row fails it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class Kind(StrEnum):
    """What protects a route."""

    SIGNED_IN = "signed in"  # the same for every user
    ACCOUNT_READ = "account read"
    ACCOUNT_WRITE = "account write"
    OPERATION = "operation"  # the account is the operation's
    SERVICE = "service"


@dataclass(frozen=True)
class Row:
    """`body` is valid; `path` fills the path's parameters for a service."""

    kind: Kind
    body: Any = None
    path: dict[str, str] = field(default_factory=dict)


_USER: Final = {"displayName": "New", "status": "active", "version": 1}
_ORGANIZATION: Final = {"name": "New", "status": "active", "version": 1, "grants": []}
_PATHS: Final = {"successPath": "/done", "cancelPath": "/plans"}

ROWS: Final[dict[tuple[str, str], Row]] = {
    ("GET", "/api/billing/plans"): Row(Kind.SIGNED_IN),
    ("GET", "/api/billing/subscription"): Row(Kind.ACCOUNT_READ),
    ("GET", "/api/billing/timeline"): Row(Kind.ACCOUNT_READ),
    ("GET", "/api/billing/operations/{operation_key}"): Row(Kind.OPERATION),
    ("POST", "/api/billing/checkout"): Row(Kind.ACCOUNT_WRITE, {"planCode": "pro", **_PATHS}),
    ("POST", "/api/billing/portal"): Row(Kind.ACCOUNT_WRITE, {"returnPath": "/billing"}),
    ("POST", "/api/billing/payment-links"): Row(
        Kind.ACCOUNT_WRITE,
        {"lineItems": [{"name": "Consulting", "amountMinor": 100}], "successPath": "/thanks"},
    ),
    ("POST", "/api/billing/payment-links/{operation_key}/deactivate"): Row(
        Kind.ACCOUNT_WRITE, path={"operation_key": "0" * 64}
    ),
    ("PUT", "/internal/v1/users/{externalId}"): Row(Kind.SERVICE, _USER, {"externalId": "new"}),
    ("PUT", "/internal/v1/workspaces/{externalId}"): Row(
        Kind.SERVICE,
        {
            "slug": "new",
            "name": "New",
            "ownerExternalId": "ann",
            "status": "active",
            "version": 1,
            "members": [],
        },
        {"externalId": "new"},
    ),
    ("PUT", "/internal/v1/organizations/{externalId}"): Row(
        Kind.SERVICE, _ORGANIZATION, {"externalId": "new"}
    ),
    ("PUT", "/internal/v1/external-accounts/{externalId}"): Row(
        Kind.SERVICE, _ORGANIZATION, {"externalId": "new"}
    ),
    ("PUT", "/internal/v1/roles/{role}"): Row(
        Kind.SERVICE, {"permissions": []}, {"role": "viewer"}
    ),
    ("PUT", "/internal/v1/service-tokens/{name}"): Row(
        Kind.SERVICE,
        {"tokenSha256": "0" * 64, "scopes": [], "version": 1},
        {"name": "new"},
    ),
    ("GET", "/internal/v1/service-tokens/{name}"): Row(Kind.SERVICE, path={"name": "right"}),
}

# Parameters that may name somebody's thing, with a value that names nothing.
NOTHING: Final = {
    "x-billable-entity-id": "9000000001",
    "billableEntityId": "9000000001",
    "x-workspace-slug": "no-such-workspace",
    "workspaceSlug": "no-such-workspace",
    "operation_key": "0" * 64,
    "operationKey": "0" * 64,
    "providerEventId": "evt_nothing",
    "receipt": "bm90aGluZw.bm90aGluZw",
    "Idempotency-Key": "a-key-that-nobody-used",
}
SELECTORS: Final = frozenset(
    {"x-billable-entity-id", "billableEntityId", "x-workspace-slug", "workspaceSlug"}
)
# These name nothing of anybody; `cursor` says only where a page of one's own ended.
HARMLESS: Final = frozenset({"wait", "until", "Prefer", "pageSize", "source", "cursor"})
