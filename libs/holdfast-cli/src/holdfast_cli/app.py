"""The `holdfast` command: what can be said to it, and nothing of how it is done."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from holdfast_cli.bring_up import bring_up
from holdfast_cli.demo import run_demo
from holdfast_cli.doctor import examine
from holdfast_cli.failures import StackFailure
from holdfast_cli.foreground import watch_stack
from holdfast_cli.installation import install_servers
from holdfast_cli.local_secrets import load_secrets
from holdfast_cli.log_reader import follow, last_lines
from holdfast_cli.paths import stack_paths
from holdfast_cli.progress import Progress
from holdfast_cli.servers import ServerStartFailed
from holdfast_cli.settings import load_settings, read_environment
from holdfast_cli.stack import Stack, make_stack
from holdfast_cli.status_report import State, read_status, status_table
from holdfast_cli.take_down import restart_processes, take_down
from holdfast_cli.tokens import mint_token
from holdfast_cli.topology import PROCESS_NAMES

app = typer.Typer(
    help="Holdfast's local stack: database, Kafka, Stripe double and the five services.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_console = Console(highlight=False)
_errors = Console(stderr=True, highlight=False)

_INTERRUPTED = 130
_NOT_RUNNING = 3


@app.command()
def up(
    demo: Annotated[bool, typer.Option("--demo", help="Then buy one subscription.")] = False,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Show the logs; Ctrl-C stops the stack.")
    ] = False,
) -> None:
    """Start what does not run; a running stack is left alone, a dead service started again."""
    stack, progress = _stack(), Progress(_console)
    changed = bring_up(stack, progress)
    _show_summary(stack, changed=changed)
    if demo:
        run_demo(stack, progress)
    if foreground:
        watch_stack(stack, progress, _show_log_line)


@app.command()
def down(
    wipe: Annotated[
        bool, typer.Option("--wipe", help="Also remove data, logs and secrets.")
    ] = False,
) -> None:
    """Stop the stack: services, double, Kafka, database. Data stays unless --wipe."""
    ran = take_down(_stack(), Progress(_console), wipe=wipe)
    _console.print("stopped" if ran else "nothing was running")


@app.command()
def restart(
    names: Annotated[list[str] | None, typer.Argument(help="Which; all services if none.")] = None,
) -> None:
    """Stop and start services again (after a change of code or settings)."""
    stack, progress = _stack(), Progress(_console)
    restart_processes(stack, progress, tuple(names or stack.services))
    bring_up(stack, progress)


@app.command()
def status() -> None:
    """What runs, where, since when. Exit status 3 when a part is not ready."""
    parts = read_status(_stack())
    _console.print(status_table(parts))
    if any(part.state is not State.READY for part in parts):
        raise typer.Exit(_NOT_RUNNING)


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(help=f"One of {', '.join(PROCESS_NAMES)}.")] = None,
    follow_on: Annotated[bool, typer.Option("--follow", "-f", help="Go on showing.")] = False,
    count: Annotated[int, typer.Option("--lines", "-n", help="Lines of each log.")] = 20,
) -> None:
    """The ends of the logs."""
    stack = _stack()
    if name is not None and name not in PROCESS_NAMES:
        raise StackFailure(
            f"There is no log of {name!r}.", way_out=(f"Choose: {', '.join(PROCESS_NAMES)}",)
        )
    chosen = {part: stack.log_of(part) for part in ((name,) if name else PROCESS_NAMES)}
    for part, path in chosen.items():
        for line in last_lines(path, count):
            _show_log_line(part, line)
    if follow_on:
        follow(chosen, _show_log_line, goes_on=lambda: True)


@app.command()
def demo() -> None:
    """Start the stack and buy one subscription, end to end; the stack stays up."""
    up(demo=True)


@app.command()
def doctor() -> None:
    """What is missing, which ports are taken, what would be used. Exit status 1: cannot work."""
    environment = read_environment(_checkout(), os.environ)
    if not examine(_console, environment):
        raise typer.Exit(1)


@app.command()
def install() -> None:
    """Install the server programs that are missing (needs root or sudo for packages)."""
    install_servers(Progress(_console), with_kafka=_stack().uses_own_kafka)


@app.command()
def token(
    user: Annotated[str, typer.Argument(help="The product's id of the user.")] = "demo-user",
    hours: Annotated[int, typer.Option(help="How long it is valid.", min=1, max=720)] = 12,
) -> None:
    """Print a development token for a user of the local stack."""
    secrets = load_secrets(stack_paths(os.environ).secrets_file)
    sys.stdout.write(
        mint_token(
            secrets.jwt_shared_secret,
            subject=user,
            now=datetime.now(UTC),
            lifetime=timedelta(hours=hours),
        )
        + "\n"
    )


def main() -> None:
    """Run the command; a failure is a sentence and a way out, never a traceback."""
    try:
        app()
    except StackFailure as failure:
        _show_failure(failure.message, failure.way_out, failure.log_lines)
        sys.exit(1)
    except ServerStartFailed as failure:
        _show_failure(f"{failure.name}: {failure.reason}", (failure.way_out,), ())
        sys.exit(1)
    except KeyboardInterrupt:
        _errors.print("interrupted")
        sys.exit(_INTERRUPTED)


def _checkout() -> Path:
    return stack_paths(os.environ).checkout


def _stack() -> Stack:
    paths = stack_paths(os.environ)
    return make_stack(paths, load_settings(read_environment(paths.checkout, os.environ)))


def _show_summary(stack: Stack, *, changed: bool) -> None:
    if not changed:
        _console.print("everything runs already")
    broker = (
        stack.kafka.description
        if stack.uses_own_kafka
        else f"{stack.settings.kafka_bootstrap_servers} (KAFKA_BOOTSTRAP_SERVERS)"
    )
    stripe = (
        f"the double, {stack.settings.url_of('stripe-double')}"
        if stack.uses_stripe_double
        else "the real one, test mode"
    )
    for heading, value in (
        ("gateway", stack.settings.url_of("api-gateway")),
        ("Stripe", stripe),
        ("database", f"{stack.mariadb.description}, port {stack.settings.ports['mariadb']}"),
        ("broker", broker),
        ("state", str(stack.paths.home)),
    ):
        _console.print(f"  {heading:<9} {escape(value)}", soft_wrap=True)


def _show_log_line(name: str, line: str) -> None:
    _console.print(f"[dim]{name:>14} |[/] {escape(line)}", soft_wrap=True)


def _show_failure(message: str, way_out: tuple[str, ...], log_lines: tuple[str, ...]) -> None:
    for line in log_lines:
        _errors.print(f"    | {line}", markup=False, soft_wrap=True)
    _errors.print(f"[red]failed:[/] {escape(message)}", soft_wrap=True)
    for line in way_out:
        _errors.print(f"        {line}", markup=False, soft_wrap=True)
