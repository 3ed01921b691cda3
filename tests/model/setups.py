"""The worlds that are explored whole: small ones in the suite, large ones by `make model`."""

from __future__ import annotations

from typing import Final

from tests.model.machine import Setup

_ONE: Final = Setup(workers=2, keys=2, sessions_max=2)
SMALL: Final = {
    "2 workers": _ONE,
    "2 workers, dashboard and another subscription": Setup(
        workers=2, has_dashboard=True, has_foreign_subscription=True
    ),
    "2 workers, keys forgotten an hour too soon": Setup(workers=2, forgotten_from=1),
    "2 workers, no event ever arrives": Setup(workers=2, has_events=False),
    "2 intents of one entity, 1 worker, recovery gives up early": Setup(
        workers=1, intents=2, has_tiredness=True
    ),
}
LARGE: Final = {
    "3 workers, 2 late requests, 2 keys, 3 sessions": Setup(
        workers=3, zombies_max=2, keys=2, sessions_max=3
    ),
    "3 workers, dashboard and another subscription": Setup(
        workers=3, keys=2, has_dashboard=True, has_foreign_subscription=True
    ),
    "2 intents of one entity, 2 workers": Setup(workers=2, intents=2),
    "2 intents of one entity, 2 workers, no event ever arrives": Setup(
        workers=2, intents=2, has_events=False
    ),
    "2 intents of one entity, 1 worker, 2 keys, recovery gives up early": Setup(
        workers=1, intents=2, keys=2, zombies_max=2, has_tiredness=True
    ),
}
