from __future__ import annotations

import errno
import socket
from pathlib import Path

from holdfast_cli.servers.errors import ServerStartFailed

LOOPBACK = "127.0.0.1"
_LISTEN = "0A"


def free_port() -> int:
    """A TCP port on the loopback address that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_port_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers listen with SO_REUSEADDR, so a socket in TIME_WAIT does not make a port "taken".
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def answers_on(port: int) -> bool:
    """Whether something accepts a TCP connection on the loopback ``port``."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


def require_free_port(name: str, port: int) -> None:
    """Raise ServerStartFailed, naming the process that listens there when it can be seen."""
    if is_port_free(port):
        return
    owner = port_owner(port)
    raise ServerStartFailed(
        name,
        f"port {port} on {LOOPBACK} is already in use by {owner or 'another process'}",
        f"stop that process, or choose another port for {name} in the settings of the stack",
    )


def port_owner(port: int) -> str | None:
    """ "mariadbd (pid 4711)" for the process that listens on ``port``, if /proc lets us see it."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        if _holds_socket(process, inodes):
            return f"{_command_name(process)} (pid {process.name})"
    return None


def _listening_inodes(port: int) -> set[str]:
    found: set[str] = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            rows = table.read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found


def _holds_socket(process: Path, inodes: set[str]) -> bool:
    try:
        descriptors = list((process / "fd").iterdir())
    except OSError:
        return False
    return any(_link_target(descriptor) in inodes for descriptor in descriptors)


def _link_target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""


def _command_name(process: Path) -> str:
    try:
        return (process / "comm").read_text(encoding="utf-8").strip()
    except OSError:
        return "a process"
