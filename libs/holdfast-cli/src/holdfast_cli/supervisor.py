"""Starts and stops the parts of the stack.

`StackStart` is one attempt to bring everything up: what it started is stopped again when it fails
or is interrupted; what ran before stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from holdfast_cli.background_process import BackgroundProcess, Launch
from holdfast_cli.failures import StackFailure
from holdfast_cli.interrupts import stop_signals_put_off
from holdfast_cli.leftovers import kill_processes_of
from holdfast_cli.progress import Progress
from holdfast_cli.readiness import probe_ready, wait_until_ready
from holdfast_cli.servers import ChildServer, ServerStartFailed, require_free_port
from holdfast_cli.settings import PORTS
from holdfast_cli.stack import Stack

READY_SECONDS = 90.0
STOP_SECONDS = 30.0


class StackStart:
    """Starts what does not run; `changed` tells whether anything had to be started."""

    def __init__(
        self, stack: Stack, progress: Progress, launch_of: Callable[[str], Launch]
    ) -> None:
        self._stack = stack
        self._progress = progress
        self._launch_of = launch_of
        self._undo: list[Callable[[], object]] = []

    @property
    def changed(self) -> bool:
        return bool(self._undo)

    def server(self, name: str, title: str) -> None:
        """Start a server unless it runs, and wait until it answers."""
        server = self._stack.servers[name]
        if server.is_running():
            return
        with self._progress.step(
            f"{title}: starting on port {self._stack.settings.ports[name]}"
        ) as step:
            self._undo.append(lambda: _stop_server(server))
            try:
                server.start()
            except ServerStartFailed as error:
                raise StackFailure(f"{title}: {error.reason}", way_out=(error.way_out,)) from error
            step.result = server.description

    def processes(self, names: tuple[str, ...]) -> None:
        """Start these of our own processes side by side, and wait until all are ready."""
        missing = {
            name: process
            for name in names
            if not (process := self._stack.processes[name]).is_running()
        }
        died = [name for name, process in missing.items() if process.was_started()]
        if died:
            self._progress.say(f"found dead, starting again: {', '.join(died)}")
        if not missing:
            return
        with self._progress.step(f"starting {', '.join(missing)}"):
            for name, process in missing.items():
                self._launch(name, process)
            wait_until_ready(
                missing,
                {name: self._stack.ready_url(name) for name in missing},
                timeout_seconds=READY_SECONDS,
            )

    def confirm_ready(self) -> None:
        """Wait until everything is ready, also what ran before: a broker that was away and came
        back leaves services that need a moment."""
        waiting = {
            name: process
            for name, process in self._stack.processes.items()
            if probe_ready(self._stack.ready_url(name)) is not None
        }
        if not waiting:
            return
        with self._progress.step(f"waiting for {', '.join(waiting)}"):
            wait_until_ready(
                waiting,
                {name: self._stack.ready_url(name) for name in waiting},
                timeout_seconds=READY_SECONDS,
            )

    def undo(self) -> None:
        """Stop what this attempt started, last first; Ctrl-C does not stop the stopping."""
        with stop_signals_put_off():
            while self._undo:
                self._undo.pop()()

    def _launch(self, name: str, process: BackgroundProcess) -> None:
        port = self._stack.settings.ports[name]
        try:
            require_free_port(name, port)
        except ServerStartFailed as error:
            raise port_taken(name, port, error.reason) from error
        self._undo.append(lambda: process.stop(timeout_seconds=STOP_SECONDS))
        process.start(self._launch_of(name))


def stop_processes(processes: Mapping[str, BackgroundProcess], progress: Progress) -> None:
    """Stop these side by side: SIGTERM, a bounded wait, then force, which is said."""
    started = {name: process for name, process in processes.items() if process.was_started()}
    if not started:
        return
    with progress.step(f"stopping {', '.join(started)}") as step:
        with ThreadPoolExecutor(max_workers=len(started)) as pool:
            gentle = dict(
                zip(
                    started,
                    pool.map(
                        lambda process: process.stop(timeout_seconds=STOP_SECONDS),
                        started.values(),
                    ),
                    strict=True,
                )
            )
        forced = [name for name, was_gentle in gentle.items() if not was_gentle]
        if forced:
            step.result = f"(killed after {STOP_SECONDS:.0f} s: {', '.join(forced)})"


def stop_server(name: str, server: ChildServer, progress: Progress) -> None:
    """Stop one server within its own time limit; force is said."""
    if not server.is_running():
        return
    with progress.step(f"stopping {name}") as step:
        begun = time.monotonic()
        server.stop()
        if time.monotonic() - begun >= server.stop_seconds:
            step.result = f"(killed after {server.stop_seconds:.0f} s)"


def stop_stack(stack: Stack, progress: Progress) -> bool:
    """Stop everything, in order: services, double, Kafka, MariaDB. False when nothing ran."""
    ours = {stack.stripe_double.name: stack.stripe_double, **stack.services}
    ran = any(process.was_started() for process in ours.values()) or any(
        server.is_running() for server in (stack.kafka, stack.mariadb)
    )
    stop_processes(stack.services, progress)
    stop_processes({stack.stripe_double.name: stack.stripe_double}, progress)
    stop_server("kafka", stack.kafka, progress)
    stop_server("mariadb", stack.mariadb, progress)
    return ran


def port_taken(name: str, port: int, reason: str) -> StackFailure:
    """The message about a port that somebody else listens on."""
    return StackFailure(
        f"{name}: {reason}",
        way_out=(
            "Stop that process,",
            f"or choose another port: {PORTS[name][0]}={port + 1000} holdfast up",
        ),
    )


def _stop_server(server: ChildServer) -> None:
    server.stop()
    kill_processes_of(server.data_dir)
