"""The way from nothing to a running stack, in order; each part is a no-op when it is there."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from holdfast_cli.database_setup import apply_grants, prepare_accounts
from holdfast_cli.environment import (
    database_url,
    inherited_environment,
    kafka_bootstrap_servers,
)
from holdfast_cli.failures import StackFailure
from holdfast_cli.installation import install_servers
from holdfast_cli.interrupts import stop_signals_raise
from holdfast_cli.jobs import run_job
from holdfast_cli.local_secrets import LocalSecrets, load_or_create_secrets
from holdfast_cli.paths import StackPaths
from holdfast_cli.process_launch import launch_of
from holdfast_cli.process_table import require_linux
from holdfast_cli.progress import Progress
from holdfast_cli.stack import Stack
from holdfast_cli.supervisor import StackStart


def bring_up(stack: Stack, progress: Progress) -> bool:
    """Start all that does not run. Returns False when everything ran already.

    On failure or Ctrl-C what this call started is stopped again.
    """
    require_linux()
    stack.paths.create()
    with only_one_at_a_time(stack.paths), stop_signals_raise():
        secrets = load_or_create_secrets(stack.paths.secrets_file)
        start = StackStart(stack, progress, lambda name: launch_of(name, stack, secrets))
        try:
            _start_everything(stack, secrets, start, progress)
        except BaseException as reason:
            why = "interrupted" if isinstance(reason, KeyboardInterrupt) else "failed"
            if start.changed:
                progress.say(f"{why}: stopping what was started")
            start.undo()
            raise
        return start.changed


def _start_everything(
    stack: Stack, secrets: LocalSecrets, start: StackStart, progress: Progress
) -> None:
    if not all(server.is_running() for server in stack.servers.values()):
        install_servers(progress, with_kafka=stack.uses_own_kafka)
    for name in stack.servers:
        start.server(name, {"mariadb": "MariaDB", "kafka": "Kafka"}[name])
    if start.changed or not _all_run(stack):
        _prepare_database(stack, secrets, progress)
        _prepare_topics(stack, progress)
    start.processes(tuple(stack.processes))
    start.confirm_ready()


def _all_run(stack: Stack) -> bool:
    return all(process.is_running() for process in stack.processes.values())


def _prepare_database(stack: Stack, secrets: LocalSecrets, progress: Progress) -> None:
    with progress.step("database: accounts, migrations, grants") as step:
        prepare_accounts(stack.mariadb, secrets)
        step.result = run_job(
            "migrations",
            "billing_common.storage.migrate",
            "--url-from-env",
            environment={
                **inherited_environment(os.environ),
                "BILLING_DATABASE_URL": database_url("hf_migrate", stack.settings, secrets),
            },
            log=stack.paths.log_of("migrate"),
        )
        apply_grants(stack.mariadb, stack.paths.grants_file)


def _prepare_topics(stack: Stack, progress: Progress) -> None:
    with progress.step("Kafka: topics") as step:
        step.result = run_job(
            "topics",
            "billing_common.messaging.topics_admin",
            environment={
                **inherited_environment(os.environ),
                **stack.settings.passthrough,
                "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap_servers(stack.settings),
            },
            log=stack.paths.log_of("topics"),
        )


@contextmanager
def only_one_at_a_time(paths: StackPaths) -> Iterator[None]:
    """Two commands that start or stop the same stack at once would undo each other."""
    with paths.lock_file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackFailure(
                "Another holdfast command is starting or stopping this stack just now.",
                way_out=("Wait until it has ended, then try again.",),
            ) from None
        yield
