"""Real processes: started, found again, stopped, killed."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.holdfast_cli.conftest import DEAF, DYING, GOOD

from holdfast_cli.background_process import BackgroundProcess, Launch
from holdfast_cli.failures import StackFailure
from holdfast_cli.process_table import read_process
from holdfast_cli.servers import free_port

Make = Callable[[str], BackgroundProcess]


def launch(program: str, folder: Path) -> Launch:
    return Launch(
        command=(sys.executable, "-u", "-c", program),
        environment={"HTTP_PORT": str(free_port()), "NAME": "test"},
        folder=folder,
    )


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def wait_for_line(process: BackgroundProcess, word: str) -> str:
    wait_for(lambda: any(word in line for line in process.last_log_lines()))
    return next(line for line in process.last_log_lines() if word in line)


def test_another_command_finds_and_stops_it(make_process: Make, tmp_path: Path) -> None:
    process = make_process("good")
    process.start(launch(GOOD, tmp_path))
    wait_for_line(process, "started")
    other_command = make_process("good")

    facts = other_command.facts()
    assert facts is not None
    assert facts.session_id == facts.pid != os.getsid(0)
    assert other_command.stop(timeout_seconds=10)

    assert "ending" in process.last_log_lines()
    assert not process.is_running()
    assert not process.pid_file.exists()


def test_a_killed_process_is_known_to_be_dead(make_process: Make, tmp_path: Path) -> None:
    process = make_process("good")
    process.start(launch(GOOD, tmp_path))
    wait_for_line(process, "started")

    process.signal(signal.SIGKILL)
    wait_for(lambda: not process.is_running())

    assert process.was_started()
    assert process.exit_note() == " (killed by SIGKILL)"


def test_one_that_ignores_sigterm_goes_with_all_it_started(
    make_process: Make, tmp_path: Path
) -> None:
    process = make_process("deaf")
    process.start(launch(DEAF, tmp_path))
    child_pid = int(wait_for_line(process, "child").split()[1])

    was_gentle = process.stop(timeout_seconds=0.3)

    assert not was_gentle
    assert read_process(child_pid) is None
    assert not process.is_running()


def test_the_orphans_of_a_killed_process_are_stopped_too(
    make_process: Make, tmp_path: Path
) -> None:
    process = make_process("deaf")
    process.start(launch(DEAF, tmp_path))
    child_pid = int(wait_for_line(process, "child").split()[1])
    process.signal(signal.SIGKILL)
    wait_for(lambda: not process.is_running())
    assert read_process(child_pid) is not None

    process.stop(timeout_seconds=0.3)

    assert read_process(child_pid) is None


def test_a_reused_pid_is_not_taken_for_ours(make_process: Make) -> None:
    process = make_process("old")
    own = read_process(os.getpid())
    assert own is not None
    process.pid_file.write_text(json.dumps({"pid": own.pid, "start_ticks": own.start_ticks - 1}))

    assert not process.is_running()
    process.stop(timeout_seconds=0.1)  # this test would not live to tell if it took it for its own

    assert not process.pid_file.exists()


@pytest.mark.parametrize("text", ["", "123", "{}", '{"pid": "x", "start_ticks": 1}'])
def test_a_damaged_pid_file_is_as_none(make_process: Make, text: str) -> None:
    process = make_process("old")
    process.pid_file.write_text(text)

    assert not process.is_running()
    assert process.stop(timeout_seconds=0.1)


def test_a_missing_program_is_a_message(make_process: Make, tmp_path: Path) -> None:
    process = make_process("none")

    with pytest.raises(StackFailure, match="could not be started"):
        process.start(Launch(command=("/no/such/program",), environment={}, folder=tmp_path))


def test_the_exit_status_of_a_wrong_configuration_is_explained(
    make_process: Make, tmp_path: Path
) -> None:
    process = make_process("dying")
    process.start(launch(DYING, tmp_path))
    wait_for(lambda: not process.is_running())

    assert process.exit_note() == " (exit status 78, wrong configuration)"
    assert "configuration error: HTTP_PORT: Field required" in process.last_log_lines()
