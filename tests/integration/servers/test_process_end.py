"""A server must not outlive the process that started it, however that one ends."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from holdfast_cli.servers import free_port
from holdfast_cli.servers.install import install_mariadb

pytestmark = pytest.mark.connected

_PARENT = """
import sys, threading
from pathlib import Path
from holdfast_cli.servers import MariaDbServer

server = MariaDbServer(Path(sys.argv[1]), int(sys.argv[2]))
# From a thread that ends at once: the server must not end with it.
starter = threading.Thread(target=server.start)
starter.start()
starter.join()
print(server.pid, flush=True)
sys.stdin.read()
"""


async def _parent(folder: Path) -> tuple[asyncio.subprocess.Process, int]:
    install_mariadb(lambda line: None)
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _PARENT,
        str(folder),
        str(free_port()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    async with asyncio.timeout(60):
        return parent, int(await parent.stdout.readline())


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}/fd/0").is_symlink()  # a zombie has no open files


def _process_group(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    return int(stat.rsplit(")", 1)[1].split()[2])


async def _await_end(pid: int) -> None:
    for _ in range(400):
        if not _lives(pid):
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"process {pid} still runs 20 s after its parent ended")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_server_ends_when_its_parent_is_killed(tmp_path, number):
    parent, server_pid = await _parent(tmp_path / "mariadb")
    assert _lives(server_pid)
    parent.send_signal(number)
    await parent.communicate()
    await _await_end(server_pid)


async def test_the_server_is_out_of_reach_of_the_terminals_interrupt(tmp_path):
    parent, server_pid = await _parent(tmp_path / "mariadb")
    assert _process_group(server_pid) == server_pid
    parent.kill()
    await parent.communicate()
    await _await_end(server_pid)
