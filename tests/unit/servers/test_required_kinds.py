"""A run that was asked for a kind of test and had none of it must not be green."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_PLUGINS = ["-p", "tests.fixtures.required_kinds", "-p", "no:cacheprovider"]
_TESTS = """
from __future__ import annotations

import pytest


@pytest.mark.connected
def test_that_runs():
    pass


@pytest.mark.mysql
def test_that_is_skipped():
    pytest.skip("for the sake of the test above it")
"""
_SETTINGS = """[pytest]
markers =
    connected: one kind
    mysql: another kind
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "test_sample.py").write_text(_TESTS)
    (tmp_path / "pytest.ini").write_text(_SETTINGS)

    def run(kinds: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *_PLUGINS, "test_sample.py"],
            cwd=tmp_path,
            env={**os.environ, "HOLDFAST_REQUIRE_KINDS": kinds, "PYTHONPATH": str(_ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def test_a_kind_that_was_carried_out_is_fine(run):
    assert run("connected").returncode == 0


def test_a_kind_that_was_only_skipped_fails_the_run(run):
    done = run("connected,mysql")
    assert done.returncode == 1
    assert "HOLDFAST_REQUIRE_KINDS asks for mysql, but no test" in done.stdout


def test_a_kind_that_does_not_exist_stops_the_run(run):
    done = run("conected")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "conected" in done.stderr
