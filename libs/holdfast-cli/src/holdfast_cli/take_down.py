"""Stops the stack, and removes its state when that is asked for."""

from __future__ import annotations

import shutil

from holdfast_cli.bring_up import only_one_at_a_time
from holdfast_cli.failures import StackFailure
from holdfast_cli.progress import Progress
from holdfast_cli.stack import Stack
from holdfast_cli.supervisor import stop_processes, stop_stack


def take_down(stack: Stack, progress: Progress, *, wipe: bool) -> bool:
    """Stop everything; True when something ran. `wipe` removes data, logs and secrets too."""
    if not stack.paths.home.is_dir():
        return False
    with only_one_at_a_time(stack.paths):
        ran = stop_stack(stack, progress)
        if wipe:
            with progress.step(f"removing {stack.paths.home}"):
                for entry in stack.paths.home.iterdir():
                    if entry == stack.paths.lock_file:
                        continue
                    if entry.is_dir():
                        shutil.rmtree(entry)
                    else:
                        entry.unlink()
    return ran


def restart_processes(stack: Stack, progress: Progress, names: tuple[str, ...]) -> None:
    """Stop these of our own processes; `bring_up` then starts them again."""
    unknown = [name for name in names if name not in stack.processes]
    if unknown:
        raise StackFailure(
            f"There is no process {unknown[0]!r} to restart.",
            way_out=(f"Choose: {', '.join(stack.processes)}",),
        )
    stack.paths.create()
    with only_one_at_a_time(stack.paths):
        stop_processes({name: stack.processes[name] for name in names}, progress)
