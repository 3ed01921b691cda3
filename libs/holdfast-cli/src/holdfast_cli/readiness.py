"""Waits until processes say that they are ready, and explains those that do not."""

from __future__ import annotations

import time
from collections.abc import Mapping

import httpx

from holdfast_cli.background_process import BackgroundProcess
from holdfast_cli.failures import StackFailure

_POLL_SECONDS = 0.1
_PROBE_TIMEOUT_SECONDS = 3.0


def probe_ready(ready_url: str) -> str | None:
    """None when `ready_url` answers 200, else what it answered, in a few words."""
    try:
        answer = httpx.get(ready_url, timeout=_PROBE_TIMEOUT_SECONDS, trust_env=False)
    except httpx.ConnectError:
        return "does not listen yet"
    except httpx.HTTPError as error:
        return f"did not answer ({error.__class__.__name__})"
    if answer.status_code == 200:
        return None
    return f"answered {answer.status_code} {answer.text[:300].strip()}"


def wait_until_ready(
    processes: Mapping[str, BackgroundProcess],
    ready_urls: Mapping[str, str],
    *,
    timeout_seconds: float,
) -> None:
    """Returns when every process is ready; raises as soon as one has ended, or at the deadline."""
    deadline = time.monotonic() + timeout_seconds
    waiting = dict.fromkeys(processes, "was not asked yet")
    while waiting:
        for name in tuple(waiting):
            if not processes[name].is_running():
                raise dead_process(processes[name])
            answer = probe_ready(ready_urls[name])
            if answer is None:
                del waiting[name]
            else:
                waiting[name] = answer
        if waiting and time.monotonic() > deadline:
            name, answer = next(iter(waiting.items()))
            raise StackFailure(
                f"{name} is not ready after {timeout_seconds:.0f} s: it {answer}.",
                way_out=(f"Read its log: {processes[name].log}",),
                log_lines=processes[name].last_log_lines(),
            )
        if waiting:
            time.sleep(_POLL_SECONDS)


def dead_process(process: BackgroundProcess) -> StackFailure:
    """The message about a process that ended although it should run."""
    return StackFailure(
        f"{process.name} ended right after it was started{process.exit_note()}.",
        way_out=(f"Its whole log: {process.log}",),
        log_lines=process.last_log_lines(),
    )
