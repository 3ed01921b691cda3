"""GET /api/billing/timeline: what happened to the account, newest first."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request

from api_gateway.decisions.entity_access import Access
from api_gateway.decisions.timeline_pages import (
    CURSOR_LENGTH_MAX,
    PAGE_SIZE_DEFAULT,
    PAGE_SIZE_MAX,
    Place,
    description_of,
    place_of,
    title_of,
)
from api_gateway.handlers.accounts import AccountResolver
from api_gateway.handlers.readings import BillingReader
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.repository.timeline import TimelineRow
from api_gateway.routes.account_selection import (
    EXAMPLE_ENTITY,
    SELECTOR_PARAMETERS,
    account_of,
    entity_shape,
)
from api_gateway.routes.outcomes import (
    EXAMPLE_OPERATION_KEY,
    OF_AN_ACCOUNT,
    refusals,
    success,
)
from api_gateway.routes.wire import (
    PUBLIC_PATH,
    BillableEntityShape,
    Shape,
    WireId,
    WireTime,
)
from billing_common.domain.failure_codes import FailureCode


class SourceName(StrEnum):
    """Where entries come from."""

    CHECKOUT_SESSION = "checkout_session"
    IDEMPOTENCY = "idempotency"
    INVOICE = "invoice"
    PAYMENT = "payment"
    SUBSCRIPTION = "subscription"
    WEBHOOK = "webhook"


class EntryShape(Shape):
    """`id` is `<source>:<sourceId>`; `kind` is the source."""

    id: str
    occurred_at: WireTime
    kind: SourceName
    status: str
    title: str
    description: str
    operation_key: str | None
    provider_event_id: str | None
    source_id: WireId


class TimelineAnswer(Shape):
    """One page; `nextCursor` is null on the last."""

    billable_entity: BillableEntityShape
    entries: list[EntryShape]
    next_cursor: str | None
    has_more: bool


_PAGE: Final = success(
    TimelineAnswer,
    "One page, newest first.",
    {
        "last": {
            "billableEntity": EXAMPLE_ENTITY,
            "entries": [
                {
                    "id": "checkout_session:5",
                    "occurredAt": "2026-11-22T12:00:00.000Z",
                    "kind": "checkout_session",
                    "status": "open",
                    "title": "Checkout open",
                    "description": "Checkout is open.",
                    "operationKey": EXAMPLE_OPERATION_KEY,
                    "providerEventId": None,
                    "sourceId": "5",
                }
            ],
            "nextCursor": None,
            "hasMore": False,
        }
    },
)


def make_router(reader: BillingReader, resolver: AccountResolver) -> APIRouter:
    """The resource's routes."""
    router = APIRouter(prefix=PUBLIC_PATH)

    @router.get(
        "/timeline",
        response_model=TimelineAnswer,
        responses={200: _PAGE, **refusals(*OF_AN_ACCOUNT)},
        openapi_extra={"parameters": SELECTOR_PARAMETERS},
    )
    async def read_timeline(
        request: Request,
        *,
        cursor: Annotated[str | None, Query(max_length=CURSOR_LENGTH_MAX)] = None,
        page_size: Annotated[
            int, Query(alias="pageSize", ge=1, le=PAGE_SIZE_MAX)
        ] = PAGE_SIZE_DEFAULT,
        source: SourceName | None = None,
        operation_key: Annotated[str | None, Query(alias="operationKey", max_length=64)] = None,
        provider_event_id: Annotated[
            str | None, Query(alias="providerEventId", max_length=255)
        ] = None,
    ) -> TimelineAnswer:
        """One page of history, newest first. Entries move to the front when they change."""
        after = _place(cursor)
        entity = await account_of(request, resolver, Access.READ)
        page = await reader.timeline(
            entity.id,
            page_size=page_size,
            after=after,
            source=None if source is None else source.value,
            operation_key=_exact(operation_key, "operationKey", 64),
            provider_event_id=_exact(provider_event_id, "providerEventId", 255),
        )
        return TimelineAnswer(
            billable_entity=entity_shape(entity),
            entries=[_entry(row) for row in page.entries],
            next_cursor=page.next_cursor,
            has_more=page.next_cursor is not None,
        )

    return router


def _place(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    place = place_of(cursor)
    if place is None:
        raise RequestRefused(
            FailureCode.VALIDATION_FAILED,
            field_errors={"cursor": "must be the nextCursor of an earlier page"},
        )
    return place


def _exact(value: str | None, name: str, bytes_max: int) -> str | None:
    """Ids are ASCII; anything else can match nothing and would not fit the column."""
    if value is None or (value.isascii() and len(value) <= bytes_max):
        return value
    raise RequestRefused(
        FailureCode.VALIDATION_FAILED,
        field_errors={name: f"must be at most {bytes_max} ASCII characters"},
    )


def _entry(row: TimelineRow) -> EntryShape:
    return EntryShape(
        id=f"{row.source}:{row.id}",
        occurred_at=row.occurred_at,
        kind=SourceName(row.source),
        status=row.status,
        title=title_of(row.source, row.status),
        description=description_of(
            source=row.source, status=row.status, label=row.label, reason=row.reason
        ),
        operation_key=row.operation_key,
        provider_event_id=row.provider_event_id,
        source_id=row.id,
    )
