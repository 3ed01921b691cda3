"""Idempotency keys against a model: any requests, faults, time and moves of the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stripe_double.engine.idempotency import KEPT_FOR_SECONDS
from stripe_double.testing import in_process_double

# fault -> (does the request run, is its result kept, which status the caller sees)
OUTCOMES: dict[str | None, tuple[bool, bool, int | None]] = {
    None: (True, True, 200),
    "rate_limit": (False, False, 429),
    "lock_timeout": (False, False, 429),
    "conflict": (False, False, 409),
    "bad_request": (False, False, 400),
    "error_before": (False, False, 500),
    "drop_before": (False, False, None),
    "timeout_before": (False, False, None),
    "decline": (False, True, 402),
    "error_saved": (False, True, 500),
    "error_after": (True, True, 500),
    "drop_after": (True, True, None),
    "timeout_after": (True, True, None),
    "reset": (True, True, None),
    "truncate": (True, True, None),
}
GATE = {"rate_limit", "lock_timeout"}
WAY_THERE = {"error_before", "drop_before", "timeout_before"}
WAY_BACK = {"drop_after", "timeout_after", "reset", "truncate"}

keys = st.sampled_from(["k", "k", "k", "K", "x" * 255])
names = st.sampled_from(["A", "A", "A", "B"])
faults = st.sampled_from([*OUTCOMES, *OUTCOMES, None, None, None, None])


@dataclass
class Kept:
    """What the first request with a key left: the body is known once somebody saw it."""

    name: str
    status: int
    at: float
    body: bytes | None


class Keys(RuleBasedStateMachine):
    """One key names one execution until 24 virtual hours are over."""

    @initialize()
    def begin(self) -> None:
        self.scope = in_process_double(seed="s")
        self.double = self.scope.__enter__()
        self.http = self.double.client()
        self.now = 0.0
        self.kept: dict[str, Kept] = {}
        self.made = 0
        self.document: Any = None

    def teardown(self) -> None:
        if hasattr(self, "scope"):
            self.scope.__exit__(None, None, None)

    def send(self, key: str, name: str) -> httpx.Response | None:
        try:
            return self.http.post(
                "/v1/customers", data={"name": name}, headers={"idempotency-key": key}
            )
        except httpx.TransportError:
            return None

    @rule(requests=st.lists(st.tuples(keys, names, faults), min_size=1, max_size=6))
    def requests_come(self, requests: list[tuple[str, str, str | None]]) -> None:
        for key, name, fault in requests:
            self.post(key, name, fault)
            self.nothing_ran_twice()

    def post(self, key: str, name: str, fault: str | None) -> None:
        if fault is not None:
            self.double.control.add_fault(fault)
        answer = self.send(key, name)
        self.double.control.clear_faults()
        kept = self.kept.get(key)
        if kept is not None and self.now - kept.at < KEPT_FOR_SECONDS:
            self.check_known(answer, kept, name, fault)
            return
        runs, is_kept, status = OUTCOMES[fault]
        self.made += runs
        assert (None if answer is None else answer.status_code) == status
        if is_kept:
            result = 200 if status is None else status
            body = None if answer is None else answer.content
            self.kept[key] = Kept(name, result, self.now, body)

    def check_known(
        self, answer: httpx.Response | None, kept: Kept, name: str, fault: str | None
    ) -> None:
        if fault in GATE:
            assert answer is not None
            assert answer.status_code == 429
        elif name != kept.name:
            assert answer is not None
            assert answer.json()["error"]["type"] == "idempotency_error"
        elif fault in WAY_THERE | WAY_BACK:
            assert answer is None or answer.status_code == 500
        else:
            assert answer is not None
            assert answer.headers["idempotent-replayed"] == "true"
            assert answer.status_code == kept.status
            assert kept.body in {None, answer.content}
            kept.body = answer.content

    @rule(key=keys)
    def validation_is_never_kept(self, key: str) -> None:
        answer = self.http.post(
            "/v1/customers", data={"nonsense": "x"}, headers={"idempotency-key": key}
        )
        kept = self.kept.get(key)
        is_known = kept is not None and self.now - kept.at < KEPT_FOR_SECONDS
        error = answer.json()["error"]
        assert error["type"] == ("idempotency_error" if is_known else "invalid_request_error")

    @rule(hours=st.sampled_from([1, 11, 23]))
    def time_passes(self, hours: int) -> None:
        self.double.control.advance(hours * 3600)
        self.now += hours * 3600

    @rule()
    def the_world_moves(self) -> None:
        self.double.control.put_back(self.double.control.export())

    @rule()
    def the_world_is_remembered(self) -> None:
        kept = {key: Kept(**vars(value)) for key, value in self.kept.items()}
        self.document = (self.double.control.export(), kept, self.made, self.now)

    @precondition(lambda self: getattr(self, "document", None) is not None)
    @rule()
    def the_world_goes_back(self) -> None:
        content, kept, self.made, self.now = self.document
        self.kept = {key: Kept(**vars(value)) for key, value in kept.items()}
        self.double.control.put_back(content)

    @invariant()
    def nothing_ran_twice(self) -> None:
        if hasattr(self, "double"):
            made = self.double.ledger("effect", object="customer", action="created")
            assert len(made) == self.made


TestKeys = Keys.TestCase
TestKeys.settings = settings(
    max_examples=40,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
