"""What an operation is: a route, a handler, and what it models of Stripe's parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stripe_double.engine.errors import ApiError
from stripe_double.engine.records import JsonObject
from stripe_double.engine.transactions import Transaction
from stripe_double.wire.parameters import Model


@dataclass(frozen=True, slots=True)
class Call:
    """One request to an operation: the id in its path, if any, and its typed parameters.

    Two ids in a path (`/v1/customers/{id}/sources/{id}`) are joined by a slash, see `ids`.
    """

    object_id: str
    params: JsonObject

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids in the path, in order."""
        return tuple(self.object_id.split("/"))


Handler = Callable[[Transaction, Call], JsonObject | ApiError]
"""Raising an ApiError undoes the transaction; returning one (a declined card) keeps its traces."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the operation table. In `path` an id is written `{id}`."""

    name: str
    method: str
    path: str
    handler: Handler
    model: Model = field(default_factory=Model)

    @property
    def route(self) -> str:
        """`METHOD /v1/path/{id}`: the key of the parameter table."""
        return f"{self.method} {self.path}"


def operation(
    name: str,
    route: str,
    handler: Handler,
    models: str = "",
    only: Mapping[str, frozenset[Any]] | None = None,
) -> Operation:
    """A row of the table; `models` lists parameter paths separated by blanks."""
    method, path = route.split(" ")
    return Operation(name, method, path, handler, Model(frozenset(models.split()), only))
