"""Small pure parts: statements of a script, progress lines, ends of logs."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from holdfast_cli.database_setup import split_statements
from holdfast_cli.log_reader import follow, last_lines
from holdfast_cli.progress import Progress


def test_a_script_is_split_into_statements_without_comments() -> None:
    script = "-- first; not a statement\nGRANT A\n  ON b;\n\n-- second\nGRANT C;\n;"

    assert split_statements(script) == ["GRANT A\n  ON b", "GRANT C"]


def test_steps_are_plain_lines_when_nobody_watches() -> None:
    written = io.StringIO()
    progress = Progress(Console(file=written, highlight=False))

    with progress.step("doing [it]") as step:
        step.result = "did"

    first, second = written.getvalue().splitlines()
    assert first == "... doing [it]"
    assert second.split()[:4] == ["ok", "doing", "[it]", "did"]
    assert "\x1b" not in written.getvalue()


def test_a_failed_step_is_shown_as_failed() -> None:
    written = io.StringIO()
    progress = Progress(Console(file=written, highlight=False))

    with pytest.raises(OSError, match="no"), progress.step("doing it"):
        raise OSError("no")

    assert written.getvalue().splitlines()[-1].split()[0] == "failed"


def test_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\ntwo\nthree\n")

    assert last_lines(log, 2) == ["two", "three"]
    assert last_lines(log, 0) == []
    assert last_lines(tmp_path / "none", 5) == []


def test_following_shows_new_whole_lines_only_and_survives_rotation(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old\n")
    writes = iter(["new\nhal", "f\n", None, "rotated\n"])
    seen: list[str] = []

    def write_next() -> bool:
        text = next(writes, "")
        if text is None:
            log.write_text("")
        elif text:
            with log.open("a") as file:
                file.write(text)
        return text != ""

    follow({"x": log}, lambda _name, line: seen.append(line), goes_on=write_next)

    assert seen == ["new", "half", "rotated"]
