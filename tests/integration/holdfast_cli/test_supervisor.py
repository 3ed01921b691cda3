"""The supervisor with real, tiny processes instead of the services."""

from __future__ import annotations

import os
import signal
import socket
import time

import httpx
import pytest
from tests.integration.holdfast_cli.conftest import DEAF, DYING, FakeStack

from holdfast_cli import supervisor
from holdfast_cli.failures import StackFailure
from holdfast_cli.status_report import State, read_status
from holdfast_cli.supervisor import StackStart, stop_stack


def begin(fake: FakeStack) -> StackStart:
    return StackStart(fake.stack, fake.progress, fake.launch_of)


def running(fake: FakeStack) -> set[str]:
    return {name for name, process in fake.stack.processes.items() if process.is_running()}


def test_all_parts_start_and_a_second_start_changes_nothing(fake_stack: FakeStack) -> None:
    names = tuple(fake_stack.stack.processes)
    first = begin(fake_stack)
    first.processes(names)
    pids = {name: process.facts() for name, process in fake_stack.stack.processes.items()}

    second = begin(fake_stack)
    second.processes(names)

    assert first.changed
    assert not second.changed
    assert pids.keys() == running(fake_stack) == set(names)
    answer = httpx.get(fake_stack.stack.settings.url_of("api-gateway") + "/readyz")
    assert answer.text == "from api-gateway"


def test_a_killed_service_is_found_dead_and_started_again(fake_stack: FakeStack) -> None:
    names = tuple(fake_stack.stack.processes)
    begin(fake_stack).processes(names)
    checkout = fake_stack.stack.services["checkout"]
    before = checkout.facts()
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    while checkout.is_running():
        time.sleep(0.01)
    states = {part.name: part.state for part in read_status(fake_stack.stack)}
    assert states["checkout"] is State.DEAD
    assert states["projection"] is State.READY

    begin(fake_stack).processes(names)

    after = checkout.facts()
    assert after is not None
    assert after.pid != before.pid
    assert "found dead, starting again: checkout" in fake_stack.written.getvalue()
    assert running(fake_stack) == set(names)


def test_a_service_that_dies_at_start_is_explained_and_the_rest_is_taken_back(
    fake_stack: FakeStack,
) -> None:
    fake_stack.programs["projection"] = DYING
    start = begin(fake_stack)

    with pytest.raises(StackFailure) as caught:
        start.processes(tuple(fake_stack.stack.processes))
    start.undo()

    assert "projection ended right after it was started" in caught.value.message
    assert "exit status 78, wrong configuration" in caught.value.message
    assert "configuration error: HTTP_PORT: Field required" in caught.value.log_lines
    assert str(fake_stack.stack.log_of("projection")) in caught.value.way_out[0]
    assert running(fake_stack) == set()


def test_undo_leaves_alone_what_ran_before(fake_stack: FakeStack) -> None:
    begin(fake_stack).processes(("checkout",))
    fake_stack.programs["projection"] = DYING
    start = begin(fake_stack)

    with pytest.raises(StackFailure):
        start.processes(tuple(fake_stack.stack.processes))
    start.undo()

    assert running(fake_stack) == {"checkout"}


def test_one_that_never_gets_ready_is_explained(
    fake_stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "READY_SECONDS", 1.0)
    fake_stack.environment["READY_STATUS"] = "503"

    with pytest.raises(StackFailure, match="checkout is not ready after 1 s: it answered 503"):
        begin(fake_stack).processes(("checkout",))


def test_a_taken_port_names_its_owner_and_the_variable(fake_stack: FakeStack) -> None:
    port = fake_stack.stack.settings.ports["api-gateway"]
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()

        with pytest.raises(StackFailure) as caught:
            begin(fake_stack).processes(("api-gateway",))

    assert f"port {port}" in caught.value.message
    assert f"(pid {os.getpid()})" in caught.value.message
    assert "HOLDFAST_GATEWAY_PORT=" in caught.value.way_out[1]


def test_stopping_is_bounded_and_says_when_force_was_needed(
    fake_stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.5)
    begin(fake_stack).processes(("checkout", "projection"))
    deaf = fake_stack.stack.services["reconciler"]
    fake_stack.programs["reconciler"] = DEAF
    deaf.start(fake_stack.launch_of("reconciler"))
    while not deaf.last_log_lines():
        time.sleep(0.01)

    ran = stop_stack(fake_stack.stack, fake_stack.progress)

    assert ran
    assert running(fake_stack) == set()
    assert "killed after 0 s: reconciler" in fake_stack.written.getvalue()
    assert not stop_stack(fake_stack.stack, fake_stack.progress)
