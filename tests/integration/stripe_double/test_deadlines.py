"""What the clock asks for and state refuses is nobody's error."""

from __future__ import annotations

from typing import Any

from stripe_double.engine.deadlines import Deadline, Deadlines
from stripe_double.engine.errors import invalid_request
from stripe_double.testing import in_process_double


def test_a_deadline_that_is_refused_disturbs_no_request() -> None:
    def refuse(_tx: Any, _record: Any) -> None:
        raise invalid_request("it may not")

    with in_process_double(seed="s") as double:
        world = double.double.world
        world.deadlines = Deadlines({"customer": Deadline(lambda one: one["created"], refuse)})
        world.store.observer = world.deadlines.observe
        first = double.control.act("customers.create", params={})
        second = double.control.act("customers.create", params={})
        assert first["id"] != second["id"]
        world.run_due()
        noted = double.control.ledger("control", action="deadline_refused")
        assert {entry["object"] for entry in noted} == {first["id"], second["id"]}
        assert len(double.control.objects("customer")) == 2
