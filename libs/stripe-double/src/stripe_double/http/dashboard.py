"""`/_double/`: the world for a person to look at, and to pay, refuse, refund and move time in."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import islice
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from stripe_double.control import ControlPlane
from stripe_double.engine.errors import ApiError
from stripe_double.engine.faults import FaultKind
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.webhook_faults import WebhookFaultKind
from stripe_double.engine.world import World
from stripe_double.http.dashboard_actions import DashboardActions
from stripe_double.http.dashboard_sections import SECTION_OF, SECTIONS, Section
from stripe_double.http.templates import render
from stripe_double.resources.catalog import OPERATIONS

_HOME = "/_double/"
_SHOWN, _SHOWN_AT_FIRST = 100, 6
_FIRST_PAGE = ("sessions", "subscriptions", "invoices", "payments", "events")
_COUNTED = ("customers", "sessions", "subscriptions", "invoices", "payments", "events")


class Dashboard:
    """`GET /_double/`, `/_double/view/…`, and the forms on them."""

    def __init__(self, world: World, control: ControlPlane) -> None:
        self._world = world
        self._control = control
        self._actions = DashboardActions(control)

    def routes(self) -> list[Route]:
        """The pages and their form targets."""
        return [
            Route("/", self.overview),
            Route("/view/faults", self.faults),
            Route("/view/requests", self.requests),
            Route("/view/object/{collection}/{object_id:path}", self.one),
            Route("/view/{section}", self.section),
            Route("/forms/{action}", self.act, methods=["POST"]),
        ]

    async def overview(self, request: Request) -> Response:
        """The newest of what matters most."""
        self._world.run_due()
        store = self._world.store
        counts = [(SECTIONS[key], store.count(SECTIONS[key].collection)) for key in _COUNTED]
        tables = [self._table(SECTIONS[key], _SHOWN_AT_FIRST) for key in _FIRST_PAGE]
        return self._page(request, "dashboard.html", "overview", counts=counts, tables=tables)

    async def section(self, request: Request) -> Response:
        """The newest hundred of one kind."""
        self._world.run_due()
        section = SECTIONS.get(request.path_params["section"])
        if section is None:
            return _missing()
        table = self._table(section, _SHOWN)
        return self._page(request, "dashboard_section.html", section.key, table=table)

    async def one(self, request: Request) -> Response:
        """One object as the API shows it, with its buttons, events and deliveries."""
        self._world.run_due()
        collection = request.path_params["collection"]
        found = self._world.store.find(collection, request.path_params["object_id"])
        if found is None or collection.split(".")[0] in {"idempotency_key", "webhook_secret"}:
            return _missing()
        section = SECTION_OF.get(collection)
        return self._page(
            request,
            "dashboard_object.html",
            section.key if section else "",
            record=found,
            collection=collection,
            buttons=[] if section is None else section.buttons(found, self._world.store),
            text=json.dumps(found, indent=2, ensure_ascii=False),
            events=self._events_about(found["id"]),
            attempts=self._attempts(found) if collection == "event" else [],
        )

    async def faults(self, request: Request) -> Response:
        """What is scripted to go wrong, and forms to script more."""
        switches = self._control.set_webhook_faults()
        return self._page(
            request,
            "dashboard_faults.html",
            "faults",
            api_faults=[asdict(fault) for fault in self._world.faults.pending()],
            webhook_faults=[asdict(fault) for fault in self._world.webhook_faults.pending()],
            switches={name: value for name, value in switches.items() if value},
            kinds=list(FaultKind),
            webhook_kinds=list(WebhookFaultKind),
            operations=sorted(row.name for row in OPERATIONS),
        )

    async def requests(self, request: Request) -> Response:
        """The last API requests, as the ledger has them."""
        entries = self._control.ledger("request")[-_SHOWN:]
        return self._page(request, "dashboard_requests.html", "requests", entries=entries[::-1])

    async def act(self, request: Request) -> Response:
        """Do what a button says, then show the page again with the outcome."""
        form = await request.form()
        values = {name: value for name, value in form.items() if isinstance(value, str)}
        try:
            message = self._actions.do(request.path_params["action"], values)
        except ApiError as error:
            message = error.message
        back = urlsplit(values.get("back", "")).path
        target = back if back.startswith(_HOME) else _HOME
        return RedirectResponse(f"{target}?message={quote(message)}", status_code=303)

    def _table(self, section: Section, limit: int) -> JsonObject:
        store = self._world.store
        records = islice(store.newest(section.collection), limit)
        return {
            "section": section,
            "count": store.count(section.collection),
            "labels": [label for label, _ in section.columns],
            "rows": [
                {
                    "id": record["id"],
                    "cells": [column(record, store) for _, column in section.columns],
                    "buttons": section.buttons(record, store),
                }
                for record in records
                if not record.get("deleted")
            ],
        }

    def _events_about(self, object_id: str) -> list[Record]:
        events = self._world.store.newest("event")
        about = (
            e for e in events if (e.get("data") or {}).get("object", {}).get("id") == object_id
        )
        return list(islice(about, _SHOWN))

    def _attempts(self, event: Record) -> list[JsonObject]:
        return self._control.ledger("delivery", event=event["id"])

    def _page(
        self, request: Request, template: str, current: str, **values: object
    ) -> HTMLResponse:
        clock = self._world.clock
        waiting = len(self._world.faults.pending()) + len(self._world.webhook_faults.pending())
        text = render(
            template,
            message=request.query_params.get("message", ""),
            path=request.url.path,
            now=clock.now,
            ticking=clock.ticking,
            seed=self._world.ids.seed,
            account_name=self._world.options.account_name,
            sections=list(SECTIONS.values()),
            current=current,
            waiting=waiting,
            held=self._world.courier.switches.hold,
            **values,
        )
        return HTMLResponse(text)


def _missing() -> HTMLResponse:
    text = render("notice.html", text="There is nothing here.", link=_HOME, label="Overview")
    return HTMLResponse(text, status_code=404)
