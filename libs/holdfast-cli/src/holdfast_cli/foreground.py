"""`holdfast up --foreground`: the logs on screen, until Ctrl-C stops the stack."""

from __future__ import annotations

from collections.abc import Callable

from holdfast_cli.interrupts import stop_signals_raise
from holdfast_cli.log_reader import follow
from holdfast_cli.progress import Progress
from holdfast_cli.stack import Stack
from holdfast_cli.take_down import take_down


def watch_stack(stack: Stack, progress: Progress, show: Callable[[str, str], None]) -> None:
    """Show new log lines; on Ctrl-C (or SIGTERM), or when all processes ended, stop the stack."""
    logs = {name: stack.log_of(name) for name in (*stack.servers, *stack.processes)}
    progress.say("the stack is up; Ctrl-C stops it")
    with stop_signals_raise():
        try:
            follow(
                logs,
                show,
                goes_on=lambda: any(part.is_running() for part in stack.processes.values()),
            )
        except KeyboardInterrupt:
            progress.say("stopping")
    take_down(stack, progress, wipe=False)
