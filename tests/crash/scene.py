"""One entity's purchase on real rows and the Stripe double, by workers that can be killed."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

from sqlalchemy import select, update
from tests.crash.points import Crash, Watch, watched
from tests.integration.checkout.desk import Desk, operations, sessions

from billing_common.contracts.commands import (
    REPLY_PARTITION_HEADER,
    Command,
    RecoverOperation,
)
from billing_common.contracts.replies import Reply
from billing_common.domain.idempotency import StalledOperation
from billing_common.messaging.records import Headers, Record, RecordPosition
from billing_common.storage.tables import billing_outbox_jobs
from billing_common.storage.transaction import Database
from reconciler.repository.stalled import find_stalled

ROUNDS_MAX = 8


class Replies:
    """Hears what is sent to api-gateway."""

    def __init__(self) -> None:
        self.heard: list[Reply] = []

    async def send(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
        timeout_seconds: float,
    ) -> RecordPosition:
        assert value is not None
        self.heard.append(Reply.from_bytes(value))
        return RecordPosition(topic, partition or 0, len(self.heard))


@dataclass
class Scene:
    """`pointed` is the write path with its points (points.load_pointed). `context`: a worker."""

    desk: Desk
    pointed: dict[str, ModuleType]
    context: Any
    entity_id: int
    replies: Replies = field(default_factory=Replies)
    commands: list[Command] = field(default_factory=list)
    sent: list[Command] = field(default_factory=list)
    main: Command | None = None

    @property
    def first(self) -> Command:
        """The command that matters: `main`, or "click" as it was first sent, or would be."""
        if self.main is not None:
            return self.main
        key = self.start().operation_key
        sent = [command for command in self.sent if command.operation_key == key]
        starts = [one for one in sent if not isinstance(one.payload, RecoverOperation)]
        return starts[0] if starts else self.start()

    def start(self, client_key: str = "click", **changes: Any) -> Command:
        return self.desk.start(client_key, entity_id=self.entity_id, **changes)

    async def receive(self, command: Command, *, context: Any = None) -> None:
        """As the consumer does it: the offset is committed only if this returns."""
        if command not in self.commands:
            self.commands.append(command)
            self.sent.append(command)
        module = self.pointed["checkout.subscribers"]
        begin = self.pointed["checkout.handlers.commands"].begin_command
        used = context or self.context

        async def begun(one: Command) -> Any:
            return await begin(used, one)

        subscriber = module.CommandSubscriber(
            begin=begun, replies=self.replies, replies_topic="replies"
        )
        rest = await subscriber.receive(_record(command))
        if rest is not None:
            await rest()
        self.commands.remove(command)

    async def rows(self, table: Any) -> list[Any]:
        async with self.desk.test_database.engine.connect() as connection:
            found = await connection.execute(
                select(table)
                .where(table.c.billable_entity_id == self.entity_id)
                .order_by(table.c.id)
            )
            return list(found.all())

    async def end_leases(self) -> None:
        past = datetime.now(UTC) - timedelta(seconds=1)
        async with self.desk.test_database.engine.begin() as connection:
            await connection.execute(
                update(operations)
                .where(
                    operations.c.billable_entity_id == self.entity_id,
                    operations.c.status == "pending",
                )
                .values(pending_lease_expires_at=past)
            )

    async def recover(self) -> bool:
        """What happens after a death: Kafka delivers again, leases end, reconciler asks. Whether
        anything was left to do."""
        left = list(self.commands)
        for command in left:
            await self.receive(command)
        await self.end_leases()
        ours = await self.stalled()
        for command in ours:
            await self.receive(command)
        return bool(left or ours)

    async def stalled(self) -> list[Command]:
        """What reconciler would ask checkout now."""
        async with Database(self.desk.test_database.engine).read(name="stalled") as connection:
            found = await find_stalled(connection, limit=500)
        ours = [one for one in found if one.billable_entity_id == self.entity_id]
        return [self._recovery(one) for one in ours]

    def _recovery(self, stalled: StalledOperation) -> Command:
        payload = RecoverOperation(idempotency_row_id=stalled.row_id)
        command: Command = self.desk._command(
            stalled.operation_key, payload, entity_id=self.entity_id
        )
        return command

    async def settle(self, watch: Watch | None = None) -> None:
        """Recover until nothing is left; a second death under `watch` does not end it."""
        for _ in range(ROUNDS_MAX):
            with watched(watch or Watch()):
                try:
                    if not await self.recover():
                        return
                except Crash:
                    watch = None
        raise AssertionError(f"not settled after {ROUNDS_MAX} rounds")

    def at_stripe(self) -> list[dict[str, Any]]:
        return [
            found
            for found in self.desk.stripe_sessions()
            if found["metadata"].get("billable_entity_id") == str(self.entity_id)
        ]

    async def check(self, expected: tuple[str | None, ...], command: Command) -> None:
        """One session bound, none payable besides, an end expected, one answer for ever."""
        rows, stored = await self.rows(operations), await self.rows(sessions)
        mine = [row for row in rows if row.operation_key == command.operation_key]
        assert len(mine) <= 1
        assert (mine[0].status if mine else None) in expected
        self._check_payable(rows, stored, await self.rows(billing_outbox_jobs))
        if mine:
            await self._check_answers(mine[0], command)

    def _check_payable(self, rows: list[Any], stored: list[Any], jobs: list[Any]) -> None:
        expiring = {job.payload_json.get("provider_checkout_session_id") for job in jobs}
        bound = {row.provider_session_id for row in rows if row.status == "succeeded"}
        held = any(row.status == "recovery_verification_pending" for row in stored)
        payable = {one["id"]: one for one in self.at_stripe() if one["status"] == "open"}
        loose = payable.keys() - bound - expiring
        assert not loose or held, "a session is open that nobody will bind, expire or wait for"
        assert len(payable.keys() & bound) <= 1, "two sessions of one entity can be paid"
        assert len([row for row in stored if row.status == "open"]) <= 1
        for name in payable.keys() - bound:
            said = [reply for reply in self.replies.heard if payable[name]["url"] in reply.body]
            assert said == [], "the URL of a session that is not bound has left"

    async def _check_answers(self, row: Any, command: Command) -> None:
        said = {reply.body for reply in self.replies.heard if self._is_final(reply, row)}
        before = len(self.replies.heard)
        for _ in range(2):
            await self.receive(command.model_copy(update={"deadline_at": _soon()}))
        again = {(reply.http_status, reply.body) for reply in self.replies.heard[before:]}
        stored = (row.response_status, row.response_body.decode())
        assert again == {stored}, "the same key is answered otherwise than stored"
        assert said <= {stored[1]}, "one key, two answers"

    @staticmethod
    def _is_final(reply: Reply, row: Any) -> bool:
        is_mine = reply.operation_key == row.operation_key
        return is_mine and reply.http_status == row.response_status and reply.http_status < 400


def _soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=25)


def _record(command: Command) -> Record:
    return Record(
        topic="commands",
        partition=0,
        offset=0,
        key=str(command.billable_entity_id).encode(),
        value=command.to_bytes(),
        headers=((REPLY_PARTITION_HEADER, b"0"),),
        timestamp_ms=0,
    )


async def make_scene(desk: Desk, pointed: dict[str, ModuleType]) -> Scene:
    """A new entity, and a worker that runs the pointed write path."""
    module = pointed["checkout.handlers.context"]
    values = {f.name: getattr(desk.context, f.name) for f in fields(desk.context)}
    database = pointed["billing_common.storage.transaction"].Database
    context = module.CheckoutContext(**{**values, "database": database(desk.test_database.engine)})
    return Scene(desk, pointed, context, await desk.add_entity())
