"""Which faults are still to come: scripted ones first, then those that chance picks.

Everything here is the world's: chance comes from its seed, and what is left to come is stored with
it, so that a run with faults can be repeated, stopped and gone on with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from stripe_double.engine.records import JsonObject


class Countable(Protocol):
    """A fault that skips some occasions and then spoils some."""

    times: int
    skip: int


AnyFault = TypeVar("AnyFault", bound=Countable)


@dataclass(frozen=True, slots=True)
class Mix(Generic[AnyFault]):
    """Faults by chance: `chances` says how probable each kind is for one occasion.

    `of(kind)` makes the fault. The sum of the chances is at most 1 (else ValueError).
    """

    chances: Mapping[str, float]
    of: Callable[[str], AnyFault]

    def __post_init__(self) -> None:
        if any(chance < 0 for chance in self.chances.values()) or sum(self.chances.values()) > 1:
            message = "chances must not be negative, and at most 1 in all"
            raise ValueError(message)
        for kind in self.chances:
            self.of(kind)

    def pick(self, drawn: float) -> AnyFault | None:
        """The fault for a number drawn from [0, 1)."""
        for kind in sorted(self.chances):
            drawn -= self.chances[kind]
            if drawn < 0:
                return self.of(kind)
        return None


@dataclass
class FaultScript(Generic[AnyFault]):
    """Faults in the order they were added, and the mix behind them.

    `make(details)` builds a fault from its fields. `draw` gives the next number of the seed's
    series for these faults. `dirty` says that the world must store this script again.
    """

    make: Callable[..., AnyFault]
    draw: Callable[[], float]
    faults: list[AnyFault] = field(default_factory=list)
    mix: Mix[AnyFault] | None = None
    mixed: JsonObject = field(default_factory=dict)
    dirty: bool = False

    def add(self, fault: AnyFault) -> None:
        """Append one fault."""
        self.faults.append(fault)
        self.dirty = True

    def set_mix(self, chances: Mapping[str, float], **details: Any) -> None:
        """Faults by chance from now on; no chances: none. `details` are fields of the faults.

        Wrong kinds or values raise ValueError or TypeError.
        """
        mix = Mix(dict(chances), lambda kind: self.make(kind=kind, **details)) if chances else None
        self.mix = mix
        self.mixed = {"chances": dict(chances), **details} if chances else {}
        self.dirty = True

    def take(self, suits: Callable[[AnyFault], bool]) -> AnyFault | None:
        """The fault for this occasion, used up by one."""
        for fault in self.faults:
            if not suits(fault):
                continue
            self.dirty = True
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.times -= 1
            if fault.times <= 0:
                self.faults.remove(fault)
            return fault
        if self.mix is None:
            return None
        picked = self.mix.pick(self.draw())
        return picked if picked is not None and suits(picked) else None

    def pending(self) -> list[AnyFault]:
        """Scripted faults that have not been used up."""
        return list(self.faults)

    def clear(self) -> None:
        """No more faults, scripted or by chance."""
        self.faults.clear()
        self.set_mix({})

    def stored(self) -> JsonObject:
        """What `load` needs."""
        return {
            "faults": [asdict(fault) for fault in self.faults],  # type: ignore[call-overload]
            "mix": self.mixed,
        }

    def load(self, stored: JsonObject) -> None:
        """Go on where a stored script stopped."""
        self.faults = [self.make(**details) for details in stored["faults"]]
        self.set_mix(**{"chances": {}, **stored["mix"]})
        self.dirty = False
