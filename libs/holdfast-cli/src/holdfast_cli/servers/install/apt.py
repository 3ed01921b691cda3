from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from holdfast_cli.servers.errors import ServerStartFailed
from holdfast_cli.servers.install.cache import Say

_INSTALL_SECONDS = 900
_ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
_LOCK_WAIT = "DPkg::Lock::Timeout=120"


def install_packages(name: str, packages: Sequence[str], say: Say) -> None:
    """Install Debian packages as root or through sudo.

    Refreshes the package lists only when the first try fails (a bare machine has none, an old one
    has stale ones). Raises ServerStartFailed with apt's own words.
    """
    command = "apt-get install -y --no-install-recommends " + " ".join(packages)
    prefix = _as_root(name, command)
    install = [*prefix, "apt-get", "-o", _LOCK_WAIT, *command.split()[1:]]
    say(f"installing {', '.join(packages)} with apt (as root; may take a minute)")
    first = _run(install)
    if first.returncode == 0:
        return
    say("refreshing the package lists with apt-get update")
    update = _run([*prefix, "apt-get", "-o", _LOCK_WAIT, "update", "-q"])
    second = _run(install)
    if second.returncode != 0:
        words = second.stderr.strip() or update.stderr.strip() or second.stdout.strip()
        raise ServerStartFailed(
            name,
            f"apt could not install {', '.join(packages)}: {words[-800:]}",
            f"run as root, and read what it says: apt-get update && {command}",
        )


def first_available(name: str, packages: Sequence[str], say: Say) -> str:
    """The first of ``packages`` that this machine's package lists offer."""
    found = _first_offered(packages)
    if found is None:
        say("refreshing the package lists with apt-get update")
        prefix = _as_root(name, "apt-get update")
        _run([*prefix, "apt-get", "-o", _LOCK_WAIT, "update", "-q"])
        found = _first_offered(packages)
    if found is None:
        raise ServerStartFailed(
            name,
            f"none of the packages {', '.join(packages)} is offered to this machine",
            "look at the apt sources of this machine, then run apt-get update as root",
        )
    return found


def _first_offered(packages: Sequence[str]) -> str | None:
    if shutil.which("apt-cache") is None:
        return None
    for package in packages:
        shown = _run(["apt-cache", "policy", package])
        if "Candidate:" in shown.stdout and "Candidate: (none)" not in shown.stdout:
            return package
    return None


def _as_root(name: str, command: str) -> list[str]:
    if shutil.which("apt-get") is None:
        raise ServerStartFailed(
            name,
            "this machine has no apt-get, and only Debian and Ubuntu packages are known here",
            f"install {name} in your system's own way, or use docker compose",
        )
    settings = [f"{key}={value}" for key, value in _ENVIRONMENT.items()]
    if os.geteuid() == 0:
        return ["env", *settings]
    if shutil.which("sudo") is None:
        raise ServerStartFailed(
            name,
            "installing packages needs root, this is an ordinary user and there is no sudo",
            f"ask root to run: apt-get update && {command}",
        )
    asks_password = ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]
    return [*asks_password, "env", *settings]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS
    )
