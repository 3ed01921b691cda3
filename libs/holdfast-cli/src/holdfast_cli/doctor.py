"""`holdfast doctor`: what this machine has, what is missing, and what `holdfast up` would use."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Console
from rich.markup import escape

from holdfast_cli.failures import StackFailure
from holdfast_cli.installation import can_install_packages, has_kafka
from holdfast_cli.paths import stack_paths
from holdfast_cli.servers import is_port_free, port_owner
from holdfast_cli.servers.install import KAFKA_VERSION
from holdfast_cli.servers.java import find_java, java_version
from holdfast_cli.servers.mariadb import find_mariadbd, mariadb_version
from holdfast_cli.settings import PORTS, load_settings
from holdfast_cli.stack import Stack, make_stack

_DISK_NEEDED_MIB = 2048
_DOCKER_SECONDS = 5


class Verdict(StrEnum):
    """FIXABLE: missing, and `holdfast up` will see to it. BAD: a person has to act."""

    GOOD = "ok"
    FIXABLE = "missing"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    verdict: Verdict
    subject: str
    fact: str


_STYLES = {Verdict.GOOD: "green", Verdict.FIXABLE: "yellow", Verdict.BAD: "red"}


def examine(console: Console, environment: Mapping[str, str]) -> bool:
    """Print every finding; True when `holdfast up` can be expected to work."""
    works = True
    for finding in _findings(environment):
        works = works and finding.verdict is not Verdict.BAD
        style = _STYLES[finding.verdict]
        console.print(
            f"[{style}]{finding.verdict:>8}[/]  {finding.subject:<10} {escape(finding.fact)}",
            soft_wrap=True,
        )
    return works


def _findings(environment: Mapping[str, str]) -> Iterator[Finding]:
    yield _python()
    yield _system()
    yield _packages()
    yield _mariadb()
    yield _java()
    yield _maven()
    yield _kafka_jars()
    yield _docker()
    yield _disk()
    try:
        stack = make_stack(stack_paths(os.environ), load_settings(environment))
    except StackFailure as failure:
        yield Finding(Verdict.BAD, "settings", " ".join((failure.message, *failure.way_out)))
        return
    yield _broker(stack)
    yield _stripe(stack)
    yield from _ports(stack)


def _python() -> Finding:
    good = sys.version_info >= (3, 11)
    return Finding(
        Verdict.GOOD if good else Verdict.BAD,
        "Python",
        f"{platform.python_version()} ({sys.executable}); 3.11 or newer is needed",
    )


def _system() -> Finding:
    return Finding(
        Verdict.GOOD if sys.platform == "linux" else Verdict.BAD,
        "system",
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores; local processes need "
        "Linux (elsewhere: docker compose up)",
    )


def _packages() -> Finding:
    """Whether missing Debian packages could be installed from here."""
    if shutil.which("apt-get") is None:
        return Finding(Verdict.GOOD, "packages", "no apt-get: nothing can be installed from here")
    if os.geteuid() == 0:
        return Finding(Verdict.GOOD, "packages", "apt-get as root")
    if shutil.which("sudo") is not None:
        return Finding(Verdict.GOOD, "packages", "apt-get through sudo")
    return Finding(Verdict.GOOD, "packages", "neither root nor sudo: nothing can be installed")


def _mariadb() -> Finding:
    binary = find_mariadbd()
    if binary is None:
        return _installable("MariaDB", "apt-get install mariadb-server-core mariadb-client-core")
    return Finding(Verdict.GOOD, "MariaDB", f"{mariadb_version(binary)} ({binary})")


def _java() -> Finding:
    java = find_java()
    if java is None:
        return _installable("Java", "apt-get install openjdk-17-jre-headless (17 or newer)")
    return Finding(Verdict.GOOD, "Java", f"{java_version(java)} ({java})")


def _maven() -> Finding:
    maven = shutil.which("mvn")
    if maven is None and has_kafka():
        return Finding(Verdict.GOOD, "Maven", "not installed, and not needed: jars are cached")
    if maven is None:
        return _installable("Maven", "apt-get install maven")
    return Finding(Verdict.GOOD, "Maven", maven)


def _kafka_jars() -> Finding:
    if has_kafka():
        return Finding(Verdict.GOOD, "Kafka", f"jars of {KAFKA_VERSION} are cached")
    return Finding(
        Verdict.FIXABLE, "Kafka", f"jars of {KAFKA_VERSION} will be fetched through Maven"
    )


def _docker() -> Finding:
    version = _docker_engine_version()
    fact = (
        f"engine {version} answers: `docker compose up` runs MySQL and the official Kafka image; "
        "`holdfast up` uses local processes"
        if version
        else "no engine answers; none is needed, local processes are used"
    )
    return Finding(Verdict.GOOD, "Docker", fact)


def _docker_engine_version() -> str | None:
    try:
        done = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            timeout=_DOCKER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _disk() -> Finding:
    checkout = stack_paths(os.environ).checkout
    free_mib = shutil.disk_usage(checkout).free // 2**20
    return Finding(
        Verdict.GOOD if free_mib >= _DISK_NEEDED_MIB else Verdict.BAD,
        "disk",
        f"{free_mib} MiB free at {checkout}; {_DISK_NEEDED_MIB} are needed",
    )


def _broker(stack: Stack) -> Finding:
    servers = stack.settings.kafka_bootstrap_servers
    fact = (
        f"{servers} (KAFKA_BOOTSTRAP_SERVERS)"
        if servers
        else f"Apache Kafka {KAFKA_VERSION} as a local process"
    )
    return Finding(Verdict.GOOD, "broker", fact)


def _stripe(stack: Stack) -> Finding:
    account = stack.settings.stripe_account
    if account is None:
        fact = "the double (set BILLING_STRIPE_SECRET_KEY to a sk_test_ key for the real Stripe)"
    else:
        fact = "the real Stripe, test mode; webhook secret set; keep `stripe listen` running"
    return Finding(Verdict.GOOD, "Stripe", fact)


def _ports(stack: Stack) -> Iterator[Finding]:
    running = _running_by_name(stack)
    for name, port in stack.settings.ports.items():
        if running.get(name, _nothing_runs)():
            yield Finding(Verdict.GOOD, "port", f"{port} {name}: this stack runs there")
        elif is_port_free(port):
            yield Finding(Verdict.GOOD, "port", f"{port} {name}: free")
        else:
            owner = port_owner(port) or "a process of another user"
            variable = PORTS[name][0]
            yield Finding(
                Verdict.BAD, "port", f"{port} {name}: taken by {owner}; set {variable} to another"
            )


def _running_by_name(stack: Stack) -> dict[str, Callable[[], bool]]:
    parts: dict[str, Callable[[], bool]] = {
        name: process.is_running for name, process in stack.processes.items()
    }
    parts |= {name: server.is_running for name, server in stack.servers.items()}
    return parts | {"kafka-controller": stack.kafka.is_running}


def _nothing_runs() -> bool:
    return False


def _installable(name: str, command: str) -> Finding:
    able = can_install_packages()
    fact = f"not installed; `holdfast up` will: {command}" if able else f"as root: {command}"
    return Finding(Verdict.FIXABLE if able else Verdict.BAD, name, fact)
