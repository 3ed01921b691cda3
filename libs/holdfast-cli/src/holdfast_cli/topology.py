"""What the local stack is made of, in the order in which it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A process of ours: `name` is also its port's name, `module` runs with `python -m`."""

    name: str
    module: str


STRIPE_DOUBLE: Final = ServiceSpec("stripe-double", "stripe_double")

SERVICES: Final = (
    ServiceSpec("webhook-ingest", "webhook_ingest"),
    ServiceSpec("checkout", "checkout"),
    ServiceSpec("projection", "projection"),
    ServiceSpec("reconciler", "reconciler"),
    ServiceSpec("api-gateway", "api_gateway"),
)

SERVER_NAMES: Final = ("mariadb", "kafka")
PROCESS_NAMES: Final = (*SERVER_NAMES, STRIPE_DOUBLE.name, *(spec.name for spec in SERVICES))
