"""Rules that no linter has, as functions: a module in, sentences about what is wrong out."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Final

from tests.architecture.source_tree import Module

Rule = Callable[[Module], Iterator[str]]

# The double's SQLite store is its own; Kafka's offsets are committed by the feed alone.
COMMIT_PLACES: Final = (
    "billing_common.storage.transaction",
    "billing_common.messaging.partition_feed",
    "stripe_double.engine.persistence",
)
# Accounts, grants and migrations of the local stack: server administration, no billing row.
SQL_PLACES: Final = (
    "billing_common.storage",
    "holdfast_cli.database_setup",
    "holdfast_cli.servers.sql_server",
    "stripe_double.engine.persistence",
)
PURE: Final = re.compile(r"billing_common\.domain(\..+)?\Z|[a-z_]+\.decisions(\..+)?\Z")
IMPURE_MODULES: Final = frozenset(
    {"time", "random", "uuid", "os", "secrets", "socket", "asyncio", "threading", "subprocess"}
)
CLOCK_CALLS: Final = frozenset({"now", "utcnow", "today", "time", "uuid4", "uuid1", "urandom"})
DRAWERS: Final = frozenset({"util", "utils", "helper", "helpers", "common", "manager", "misc"})
# They ask the open-transaction guard before every call (tests/integration/storage). The CLI and
# the double are not part of the system and hold no transaction of ours.
NETWORK_DOORS: Final = (
    "billing_common.messaging",
    "billing_common.stripe_api",
    "billing_common.process.bounded_fetch",
    "holdfast_cli",
    "stripe_double",
)
NETWORK_MODULES: Final = frozenset(
    {"httpx", "aiokafka", "aiohttp", "requests", "urllib3", "http.client", "urllib.request"}
)
_HIDES_DUPLICATES: Final = re.compile(r"\binsert\s+ignore\b|\bon\s+duplicate\s+key\b", re.I)


def commits_in_one_place(module: Module) -> Iterator[str]:
    """`.commit(` only where a transaction, a Kafka offset or the double's store is committed."""
    if module.is_below(*COMMIT_PLACES):
        return
    for call in _calls(module):
        if _method(call) == "commit":
            yield f"{_at(module, call)} commits: use Database.write"


def subscriptions_are_explicit(module: Module) -> Iterator[str]:
    """A FastStream subscriber states its group and its ack policy, a consumer its group."""
    for call in _calls(module):
        stated = {keyword.arg for keyword in call.keywords}
        if _method(call) == "subscriber":
            wanted = {"group_id", "ack_policy"}
        elif _called(call) == "AIOKafkaConsumer":
            wanted = {"group_id", "enable_auto_commit"}
        else:
            continue
        if missing := wanted - stated:
            yield f"{_at(module, call)} does not state {', '.join(sorted(missing))}"


def subscribers_in_one_place(module: Module) -> Iterator[str]:
    """Everybody subscribes through PartitionFeed: its position rules hold for all."""
    if module.name == "billing_common.messaging.partition_feed":
        return
    for call in _calls(module):
        if _method(call) == "subscriber":
            yield f"{_at(module, call)} subscribes by itself: use PartitionFeed"


def sql_has_an_address(module: Module) -> Iterator[str]:
    """SQL is built and run in storage, in a service's repository, nowhere else."""
    if module.is_below(*SQL_PLACES) or ".repository" in module.name:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sqlalchemy":
            if node.module != "sqlalchemy.exc":  # an error may be caught where it is judged
                yield f"{_at(module, node)} imports {node.module}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "sqlalchemy":
                    yield f"{_at(module, node)} imports {alias.name}"
    for call in _calls(module):
        if _method(call) in {"execute", "executemany", "exec_driver_sql"}:
            yield f"{_at(module, call)} runs SQL"


def the_core_has_no_clock(module: Module) -> Iterator[str]:
    """Time, ids and randomness are arguments of domain and decisions."""
    if PURE.match(module.name) is None:
        return
    for node in ast.walk(module.tree):
        for name in _imported(node):
            if name.split(".")[0] in IMPURE_MODULES:
                yield f"{_at(module, node)} imports {name}"
    for call in _calls(module):
        if _method(call) in CLOCK_CALLS:
            yield f"{_at(module, call)} asks {_method(call)}()"


def the_core_does_not_wait(module: Module) -> Iterator[str]:
    """Decisions are synchronous."""
    if PURE.match(module.name) is None:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await):
            yield f"{_at(module, node)} waits"


def one_door_to_stripe(module: Module) -> Iterator[str]:
    """Only billing_common.stripe_api imports the SDK."""
    if module.is_below("billing_common.stripe_api"):
        return
    for node in ast.walk(module.tree):
        for name in _imported(node):
            if name.split(".")[0] == "stripe":
                yield f"{_at(module, node)} imports {name}"


def the_network_has_few_doors(module: Module) -> Iterator[str]:
    """Nobody leaves the process but through a door that refuses inside a transaction."""
    if module.is_below(*NETWORK_DOORS):
        return
    for node in ast.walk(module.tree):
        for name in _imported(node):
            if name in NETWORK_MODULES or name.split(".")[0] in NETWORK_MODULES:
                yield f"{_at(module, node)} imports {name}"


def no_drawers(module: Module) -> Iterator[str]:
    """No module is named for having no idea of its own."""
    for part in module.name.split("."):
        if part in DRAWERS or part.endswith(("_utils", "_helpers", "_manager")):
            yield f"{module.place} is named {part}"


def inserts_are_honest(module: Module) -> Iterator[str]:
    """INSERT IGNORE hides truncation, an upsert fires on any unique key: insert_once instead."""
    docstrings = {id(node) for node in _docstrings(module.tree)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr == "on_duplicate_key_update":
            yield f"{_at(module, node)} upserts"
        elif isinstance(node, ast.Call) and _method(node) == "prefix_with":
            yield f"{_at(module, node)} puts a prefix before a statement"
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
            and _HIDES_DUPLICATES.search(node.value)
        ):
            yield f"{_at(module, node)} hides duplicates in SQL text"


def errors_are_judged_in_few_places(module: Module) -> Iterator[str]:
    """A broad `except` needs its reason on the line, unless it raises again."""
    lines = module.path.read_text(encoding="utf-8").splitlines() if module.path.exists() else []
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = ast.unparse(node.type) if node.type is not None else "everything"
        if caught not in {"Exception", "BaseException", "everything"}:
            continue
        line = lines[node.lineno - 1] if node.lineno <= len(lines) else ""
        raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
        if not raises and "#" not in line and not _logs(node):
            yield f"{_at(module, node)} catches {caught} without a reason"


RULES: Final[tuple[Rule, ...]] = (
    commits_in_one_place,
    subscriptions_are_explicit,
    subscribers_in_one_place,
    sql_has_an_address,
    the_core_has_no_clock,
    the_core_does_not_wait,
    one_door_to_stripe,
    the_network_has_few_doors,
    no_drawers,
    inserts_are_honest,
    errors_are_judged_in_few_places,
)


def _at(module: Module, node: ast.AST) -> str:
    return f"{module.place}:{getattr(node, 'lineno', 0)}"


def _calls(module: Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))


def _method(call: ast.Call) -> str | None:
    return call.func.attr if isinstance(call.func, ast.Attribute) else None


def _called(call: ast.Call) -> str | None:
    return call.func.id if isinstance(call.func, ast.Name) else _method(call)


def _imported(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, ast.ImportFrom):
        return (node.module or "",)
    if isinstance(node, ast.Import):
        return tuple(alias.name for alias in node.names)
    return ()


def _docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _logs(handler: ast.ExceptHandler) -> bool:
    return any(
        isinstance(node, ast.Call) and _method(node) in {"exception", "error", "critical"}
        for node in ast.walk(handler)
    )
