"""Ctrl-C during `holdfast up` leaves nothing behind: on the real servers, at several moments."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from holdfast_cli.servers import free_port
from holdfast_cli.servers.spawning import process_is_zombie, process_mentions
from holdfast_cli.settings import PORTS

pytestmark = [pytest.mark.connected, pytest.mark.stack, pytest.mark.slow]


def processes_of(home: Path) -> list[int]:
    """Living processes whose command line or working folder is of this stack."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and not process_is_zombie(int(entry.name)):
            try:
                folder = (entry / "cwd").readlink()
            except OSError:
                continue
            if folder == home or process_mentions(int(entry.name), str(home)):
                found.append(int(entry.name))
    return found


def own_stack_environment(home: Path) -> dict[str, str]:
    """Free ports, and nothing of the run's own broker or of a person's Stripe account."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KAFKA_", "BILLING_", "HOLDFAST_"))
    }
    ports = {variable: str(free_port()) for variable, _ in PORTS.values()}
    # An empty value hides a line of the checkout's .env file.
    return {**kept, **ports, "HOLDFAST_HOME": str(home), "KAFKA_BOOTSTRAP_SERVERS": ""}


def interrupt_at(
    moment: str, number: signal.Signals, environment: dict[str, str]
) -> tuple[int, str]:
    """Run `holdfast up`, send it the signal when its output says `moment`; status and output."""
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "holdfast_cli", "up"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as command:
        assert command.stdout is not None
        output = ""
        for line in command.stdout:
            output += line
            if re.search(moment, line):
                time.sleep(0.4)  # into the step, not before it
                command.send_signal(number)
                break
        output += command.stdout.read()
        code = command.wait(90)
    return code, output


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        (r"MariaDB: starting", signal.SIGINT),
        (r"Kafka: starting", signal.SIGINT),
        (r"database: accounts", signal.SIGTERM),
        (r"starting stripe-double", signal.SIGINT),
    ],
)
def test_nothing_is_left(tmp_path: Path, moment: str, number: signal.Signals) -> None:
    home = tmp_path / "home"
    environment = own_stack_environment(home)
    try:
        code, output = interrupt_at(moment, number, environment)
        left = processes_of(home)
    finally:
        subprocess.run(
            [sys.executable, "-m", "holdfast_cli", "down"],
            env=environment,
            check=False,
            capture_output=True,
            timeout=120,
        )

    assert code == 130, output
    assert "interrupted" in output
    assert left == []
    assert not list((home / "run").glob("*.pid"))
