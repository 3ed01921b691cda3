"""The product's side of the demo: its frontend and its backend, talking to api-gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from holdfast_cli.failures import StackFailure

# Longer than the gateway's own wait for a reply.
_TIMEOUT_SECONDS = 40.0
_LONG_POLL_SECONDS = 20
ACCEPTED = 202


@dataclass(frozen=True, slots=True)
class Checkout:
    """A payable session: where to pay, and the operation that made it."""

    billable_entity_id: str
    operation_key: str
    checkout_url: str


class GatewayClient:
    """One user of the product, in one workspace."""

    def __init__(self, base_url: str, *, user_token: str, workspace_slug: str) -> None:
        self._base_url = base_url
        self._headers = {
            "Authorization": f"Bearer {user_token}",
            "X-Workspace-Slug": workspace_slug,
        }

    async def plan_codes(self) -> list[str]:
        """The plans on offer."""
        answer = await self._call("GET", "/api/billing/plans")
        return [plan["code"] for plan in answer.json()["plans"]]

    async def start_checkout(self, plan_code: str, *, idempotency_key: str) -> Checkout:
        """Ask for a checkout of the plan, and wait until there is a page to pay on."""
        answer = await self._call(
            "POST",
            "/api/billing/checkout",
            json={
                "planCode": plan_code,
                "successPath": "/billing/success",
                "cancelPath": "/billing/cancelled",
            },
            headers={"Idempotency-Key": idempotency_key},
        )
        body = answer.json()
        if answer.status_code == ACCEPTED:  # not known in time: ask for the operation's outcome
            operation = await self.wait_for_operation(body["operationKey"], until="finished")
            if operation["result"] is None:
                raise StackFailure(
                    f"The checkout did not succeed: {operation['error'] or operation['status']}",
                    way_out=("Read the log: holdfast logs checkout",),
                )
            body = operation["result"]
        return Checkout(
            billable_entity_id=body["billableEntityId"],
            operation_key=body["operationKey"],
            checkout_url=body["checkoutSession"]["checkoutUrl"],
        )

    async def wait_for_operation(self, operation_key: str, *, until: str) -> dict[str, Any]:
        """One long poll: the operation once it is `finished` or `projected`, or as it is then."""
        answer = await self._call(
            "GET",
            f"/api/billing/operations/{operation_key}?wait={_LONG_POLL_SECONDS}&until={until}",
        )
        operation: dict[str, Any] = answer.json()
        return operation

    async def subscription(self) -> dict[str, Any] | None:
        """The current subscription as the product sees it, or None."""
        answer = await self._call("GET", "/api/billing/subscription")
        found: dict[str, Any] | None = answer.json()["subscription"]
        return found

    async def _call(
        self,
        method: str,
        path: str,
        *,
        json: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        return await _request(
            self._base_url, method, path, json=json, headers={**self._headers, **(headers or {})}
        )


class DirectorySync:
    """The product's backend: tells Holdfast who its users and workspaces are."""

    def __init__(self, base_url: str, *, service_token: str) -> None:
        self._base_url = base_url
        self._headers = {"Authorization": f"Bearer {service_token}"}

    async def put_user(self, external_id: str, *, display_name: str) -> None:
        """Idempotent."""
        await self._put(f"/internal/v1/users/{external_id}", {"displayName": display_name})

    async def put_workspace(self, external_id: str, *, name: str, owner: str) -> None:
        """A workspace whose slug is its external id, with one member: its owner."""
        await self._put(
            f"/internal/v1/workspaces/{external_id}",
            {
                "slug": external_id,
                "name": name,
                "ownerExternalId": owner,
                "members": [{"userExternalId": owner, "role": "owner"}],
            },
        )

    async def _put(self, path: str, document: dict[str, Any]) -> None:
        await _request(
            self._base_url,
            "PUT",
            path,
            json={"status": "active", "version": 1, **document},
            headers=self._headers,
        )


async def _request(
    base_url: str,
    method: str,
    path: str,
    *,
    json: dict[str, Any] | None,
    headers: dict[str, str],
) -> httpx.Response:
    async with httpx.AsyncClient(
        base_url=base_url, timeout=_TIMEOUT_SECONDS, trust_env=False
    ) as client:
        answer = await client.request(method, path, json=json, headers=headers)
    if not answer.is_success:
        raise StackFailure(
            f"{method} {path} was answered {answer.status_code}: {answer.text[:600]}",
            way_out=("Read the logs: holdfast logs api-gateway; holdfast logs checkout",),
        )
    return answer
