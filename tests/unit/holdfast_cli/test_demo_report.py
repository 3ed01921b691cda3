"""The demo's table of hops."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

from rich.console import Console

from holdfast_cli.demo.purchase import Hop
from holdfast_cli.demo.report import hop_table

BEGIN = datetime(2026, 11, 22, 12, tzinfo=UTC)


def rows(hops: list[Hop]) -> list[list[str]]:
    written = io.StringIO()
    Console(file=written, width=120).print(hop_table(hops))
    return [line.split() for line in written.getvalue().splitlines()[1:]]


def test_times_are_since_the_hop_before_and_since_the_begin() -> None:
    shown = rows(
        [
            Hop("asked", BEGIN, "POST"),
            Hop("accepted", BEGIN + timedelta(milliseconds=12), "command"),
            Hop("paid", BEGIN + timedelta(milliseconds=112), "page"),
        ]
    )

    assert shown == [
        ["asked", "0", "ms", "0", "ms", "POST"],
        ["accepted", "12", "ms", "12", "ms", "command"],
        ["paid", "100", "ms", "112", "ms", "page"],
    ]


def test_a_hop_that_was_not_seen_is_shown_as_such() -> None:
    shown = rows(
        [
            Hop("asked", BEGIN, "POST"),
            Hop("accepted", None, "command"),
            Hop("paid", BEGIN + timedelta(milliseconds=112), "page"),
        ]
    )

    assert shown[1] == ["accepted", "?", "?", "command"]
    assert shown[2][:3] == ["paid", "112", "ms"]
