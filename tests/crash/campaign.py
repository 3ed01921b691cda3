"""Surveys which road passes which moment, then lets a worker die at each: once, and once more."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from sqlalchemy import event
from tests.crash.points import Crash, Watch, bury, known_points, watched
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.crash.scene import Scene, make_scene
from tests.crash.unreachable import INDIVISIBLE
from tests.integration.checkout.desk import Desk


@dataclass
class Campaign:
    """`road`: the scenario that first passes a moment. `deaths`: how often workers died."""

    desk: Desk
    pointed: dict[str, ModuleType]
    road: dict[str, Scenario] = field(default_factory=dict)
    recovery: dict[str, list[str]] = field(default_factory=dict)
    deaths: int = 0

    async def survey(self) -> None:
        """Every road once, without a death; each must end as it says."""
        for scenario in SCENARIOS:
            passed = await self._run(scenario)
            for moment in passed:
                self.road.setdefault(moment, scenario)

    async def strike(self, moment: str) -> None:
        """A worker dies at this moment; then everything must still come right."""
        settling = Watch()
        await self._run(self.road[moment], first=moment, settling=settling)
        self.recovery[moment] = settling.reached

    async def strike_twice(self, moment: str, seed: int) -> str | None:
        """As strike, and the worker that recovers dies too, wherever the seed says."""
        reached = [one for one in self.recovery[moment] if one not in INDIVISIBLE]
        if not reached:
            return None
        second = random.Random(f"{moment}/{seed}").choice(reached)
        await self._run(self.road[moment], first=moment, settling=Watch(second))
        return second

    async def _run(
        self, scenario: Scenario, *, first: str | None = None, settling: Watch | None = None
    ) -> list[str]:
        scene = await make_scene(self.desk, self.pointed)
        try:
            if scenario.prepare is not None:
                await scenario.prepare(scene)
            watch = Watch(first)
            await self._act(scenario, scene, watch)
            await scene.settle(settling)
            await bury()
            await scene.check(self._expected(scenario, watch), scene.first)
        finally:
            self.desk.double.call(lambda control: control.clear_faults())
        self.deaths += watch.is_dead + (settling is not None and settling.is_dead)
        return watch.reached

    async def _act(self, scenario: Scenario, scene: Scene, watch: Watch) -> None:
        with (
            watched(watch),
            _statements_of_the_dead(scene, watch) as afterwards,
            suppress(Crash),
        ):
            await scenario.act(scene)
        await bury()
        assert watch.crash_at is None or watch.is_dead, "this road no longer passes this moment"
        assert afterwards == [], "a dead worker wrote to the database"

    @staticmethod
    def _expected(scenario: Scenario, watch: Watch) -> tuple[str | None, ...]:
        return (scenario.ends, *scenario.after_death) if watch.is_dead else (scenario.ends,)


@contextmanager
def _statements_of_the_dead(scene: Scene, watch: Watch) -> Iterator[list[str]]:
    """Statements that were sent after the death. A rollback of the engine's is none."""
    found: list[str] = []

    def executing(
        _connection: Any, _cursor: Any, statement: str, _values: Any, _context: Any, _many: bool
    ) -> None:
        if watch.is_dead:
            found.append(statement)

    engine = scene.desk.test_database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", executing)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", executing)


def all_moments() -> list[str]:
    """Before and after every await of the loaded write path."""
    return [f"{point}:{moment}" for point in known_points for moment in ("before", "after")]
