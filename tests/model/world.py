"""What the model knows at one moment: rows, Stripe, requests under way, workers. Nothing counts up.

No state holds a counter: a lease version is only ever compared, so it is one bit ("nobody has taken
the lease over since"), and workers are interchangeable, so they are sorted. That makes the space
finite without bounding the number of crashes, lost answers, recoveries or duplicate events.
"""

from __future__ import annotations

from typing import Final, NamedTuple

# What Stripe says of a session.
OPEN: Final = "open"
PAID: Final = "complete"
EXPIRED: Final = "expired"

IDLE: Final = ("idle",)
# A saved 500: Stripe will repeat it for this key.
SAVED_500: Final = -1

Worker = tuple[object, ...]


class Op(NamedTuple):
    """A row of billing_request_idempotency. `url`: the stored answer shows the bound URL. `key`:
    which key of its series is in use, from 0."""

    status: str
    is_leased: bool
    session: int | None
    url: bool
    key: int = 0


class Row(NamedTuple):
    """A row of billing_checkout_sessions."""

    status: str
    session: int | None


class Session(NamedTuple):
    """A Checkout Session at Stripe. `is_out`: its URL has left our system."""

    intent: int
    status: str
    is_out: bool


class World(NamedTuple):
    """One state. Tuples over intents: ages, ops, rows, keys, refused. A session is its index.

    ages      how old the frozen request is, see rules.AGES
    subs      sessions whose subscription is in our tables; `foreign`: somebody else's is
    jobs      sessions with an expiry job
    keys      per intent and key: nothing, a session, or SAVED_500
    refused   Stripe refuses this request, every time
    zombies   (intent, key): creates still under way that nobody waits for
    """

    ages: tuple[int, ...]
    ops: tuple[Op | None, ...]
    rows: tuple[Row | None, ...]
    subs: tuple[int, ...]
    foreign: bool
    jobs: tuple[int, ...]
    stripe: tuple[Session, ...]
    keys: tuple[tuple[int | None, ...], ...]
    refused: tuple[bool, ...]
    zombies: tuple[tuple[int, int], ...]
    workers: tuple[Worker, ...]


def start(*, workers: int, intents: int, keys: int) -> World:
    """Nothing has happened yet."""
    return World(
        ages=(0,) * intents,
        ops=(None,) * intents,
        rows=(None,) * intents,
        subs=(),
        foreign=False,
        jobs=(),
        stripe=(),
        keys=((None,) * keys,) * intents,
        refused=(False,) * intents,
        zombies=(),
        workers=(IDLE,) * workers,
    )


def put(items: tuple, index: int, value: object) -> tuple:  # type: ignore[type-arg]
    """The tuple with one item replaced."""
    return (*items[:index], value, *items[index + 1 :])


def with_item(items: tuple, value: object) -> tuple:  # type: ignore[type-arg]
    """The sorted tuple with one more item, or itself."""
    return items if value in items else tuple(sorted((*items, value)))


def without(items: tuple, value: object) -> tuple:  # type: ignore[type-arg]
    """The tuple without one occurrence of the item."""
    at = items.index(value)
    return (*items[:at], *items[at + 1 :])
