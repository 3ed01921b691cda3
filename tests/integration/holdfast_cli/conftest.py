"""Tiny real programs that behave well or badly, and a stack made of them."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from holdfast_cli.background_process import BackgroundProcess, Launch
from holdfast_cli.paths import StackPaths
from holdfast_cli.progress import Progress
from holdfast_cli.servers import free_port
from holdfast_cli.settings import PORTS, load_settings
from holdfast_cli.stack import Stack, make_stack

GOOD = """
import http.server, os, signal, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(os.environ.get("READY_STATUS", "200")))
        self.end_headers()
        self.wfile.write(b"from " + os.environ["NAME"].encode())
    def log_message(self, *_):
        pass
def end(*_):
    print("ending", flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
print("started", flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["HTTP_PORT"])), Answer).serve_forever()
"""

DYING = """
import sys
print("reading settings")
print("configuration error: HTTP_PORT: Field required", file=sys.stderr)
sys.exit(78)
"""

DEAF = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"])
print("child", child.pid, flush=True)
while True:
    time.sleep(1)
"""


@dataclass
class FakeStack:
    """A stack whose processes are the programs above; `programs` says which runs which."""

    stack: Stack
    progress: Progress
    written: io.StringIO
    programs: dict[str, str]
    environment: dict[str, str]

    def launch_of(self, name: str) -> Launch:
        return Launch(
            command=(sys.executable, "-c", self.programs[name]),
            environment={
                "NAME": name,
                "HTTP_PORT": str(self.stack.settings.ports[name]),
                **self.environment,
            },
            folder=self.stack.paths.home,
        )


@pytest.fixture
def fake_stack(tmp_path: Path) -> Iterator[FakeStack]:
    paths = StackPaths(checkout=tmp_path, home=tmp_path / "home")
    paths.create()
    settings = load_settings({variable: str(free_port()) for variable, _ in PORTS.values()})
    stack = make_stack(paths, settings)
    written = io.StringIO()
    progress = Progress(Console(file=written, width=200, highlight=False))
    yield FakeStack(stack, progress, written, dict.fromkeys(stack.processes, GOOD), {})
    for process in stack.processes.values():
        process.stop(timeout_seconds=0)


@pytest.fixture
def make_process(tmp_path: Path) -> Iterator[Callable[[str], BackgroundProcess]]:
    made: list[BackgroundProcess] = []

    def make(name: str) -> BackgroundProcess:
        process = BackgroundProcess(
            name, log=tmp_path / f"{name}.log", pid_file=tmp_path / f"{name}.pid"
        )
        made.append(process)
        return process

    yield make
    for process in made:
        process.stop(timeout_seconds=0)
