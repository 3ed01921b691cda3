"""What runs, where, since when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rich.table import Table

from holdfast_cli.process_table import ProcessFacts, age_seconds, read_process
from holdfast_cli.readiness import probe_ready
from holdfast_cli.servers.ports import answers_on
from holdfast_cli.stack import Stack


class State(StrEnum):
    READY = "ready"
    NOT_READY = "not ready"
    DEAD = "dead"
    STOPPED = "stopped"


_STYLES = {
    State.READY: "green",
    State.NOT_READY: "yellow",
    State.DEAD: "red",
    State.STOPPED: "dim",
}


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One line of the report. `note` explains a state that is not `ready`."""

    name: str
    state: State
    address: str
    pid: int | None = None
    age_seconds: float | None = None
    resident_mib: int | None = None
    note: str = ""


def read_status(stack: Stack) -> list[PartStatus]:
    """Every part that these settings use."""
    parts = [
        _part(
            name,
            read_process(server.pid) if server.pid is not None else None,
            was_started=(server.data_dir / "server.pid").exists(),
            address=f"127.0.0.1:{stack.settings.ports[name]}",
            problem=None if answers_on(stack.settings.ports[name]) else "does not answer",
        )
        for name, server in stack.servers.items()
    ]
    for name, process in stack.processes.items():
        facts = process.facts()
        parts.append(
            _part(
                name,
                facts,
                was_started=process.was_started(),
                address=f"127.0.0.1:{stack.settings.ports[name]}",
                problem=probe_ready(stack.ready_url(name)) if facts is not None else None,
            )
        )
    return parts


def _part(
    name: str,
    facts: ProcessFacts | None,
    *,
    was_started: bool,
    address: str,
    problem: str | None,
) -> PartStatus:
    if facts is None:
        if was_started:
            return PartStatus(name, State.DEAD, address, note=f"see: holdfast logs {name}")
        return PartStatus(name, State.STOPPED, address)
    return PartStatus(
        name,
        State.READY if problem is None else State.NOT_READY,
        address,
        pid=facts.pid,
        age_seconds=age_seconds(facts.start_ticks),
        resident_mib=facts.resident_kib // 1024,
        note=problem or "",
    )


def status_table(parts: list[PartStatus]) -> Table:
    """The report as a table for people."""
    table = Table(box=None, pad_edge=False)
    for heading in ("part", "state", "address", "pid", "up", "MiB", ""):
        table.add_column(heading, justify="right" if heading in {"pid", "up", "MiB"} else "left")
    for part in parts:
        table.add_row(
            part.name,
            f"[{_STYLES[part.state]}]{part.state}[/]",
            part.address,
            str(part.pid or ""),
            _age(part.age_seconds),
            str(part.resident_mib or ""),
            part.note,
        )
    return table


def _age(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"
