"""What a change of a subscription's items means, decided without changing anything.

Periods: a price that recurs as often as the one before keeps its period. When every item gets
another rhythm, or the anchor is reset, whole new periods begin now. An item that joins others takes
the period of its own rhythm on the subscription's grid, and pays its rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from stripe_double.engine.errors import invalid_request
from stripe_double.engine.records import Record
from stripe_double.resources.periods import period_at, period_end, same_rhythm
from stripe_double.resources.proration import Debit, remaining, unused
from stripe_double.resources.subscription_states import item_amount

DebitOf = Callable[[str], Debit | None]


@dataclass(frozen=True, slots=True)
class Moment:
    """When a change happens, what it is counted from, and where its new periods are anchored."""

    now: int
    proration_date: int
    anchor: int
    trial_end: int | None = None


@dataclass(frozen=True, slots=True)
class Proration:
    """One credit (amount below zero) or debit for the rest of an item's period."""

    item: Record
    amount_minor: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a change does: items afterwards, prorations, whole periods billed now."""

    items: list[Record]
    anchor: int
    prorations: list[Proration] = field(default_factory=list)
    whole: list[Record] = field(default_factory=list)


def plan_change(
    before: list[Record],
    after: list[Record],
    moment: Moment,
    *,
    prorates: bool,
    resets_anchor: bool,
    debit_of: DebitOf,
) -> Plan:
    """The plan that leads from the items `before` to `after`.

    Items are paired by id. Items of `after` that are new have no period yet.
    """
    if moment.trial_end is not None:
        return _into_trial(before, after, moment, prorates=prorates, debit_of=debit_of)
    pairs = {item["id"]: item for item in before}
    if resets_anchor or _all_get_another_rhythm(pairs, after):
        anchor = moment.now
        items = [_with_period(i, moment.now, _end(i, anchor)) for i in after]
        credits = _credits(before, moment, debit_of) if prorates else []
        return Plan(items, anchor, credits, items)
    items = [_placed(item, pairs.get(item["id"]), moment) for item in after]
    plan = Plan(items, moment.anchor)
    if not prorates:
        return plan
    changed = [i for i in items if _is_changed(pairs.get(i["id"]), i)]
    kept = {item["id"] for item in items} - {item["id"] for item in changed}
    gone = [item for item in before if item["id"] not in kept]
    prorations = [*_credits(gone, moment, debit_of), *_debits(changed, moment)]
    return replace(plan, prorations=prorations)


def differ(before: list[Record], after: list[Record]) -> bool:
    """Whether anything that money depends on is different."""
    pairs = {item["id"]: item for item in before}
    same = {item["id"] for item in after} == pairs.keys()
    return not same or any(_is_changed(pairs[item["id"]], item) for item in after)


def credits_for(items: list[Record], at: int, debit_of: DebitOf) -> list[Proration]:
    """What is given back when these items end at the second `at`."""
    return _credits(items, Moment(at, at, at), debit_of)


def _into_trial(
    before: list[Record], after: list[Record], moment: Moment, *, prorates: bool, debit_of: DebitOf
) -> Plan:
    end = moment.trial_end
    if end is None or end <= moment.now:
        raise invalid_request("The trial must end in the future.", param="trial_end")
    starts = {
        item["id"]: item["current_period_start"]
        for item in before
        if item["current_period_end"] == end
    }
    items = [_with_period(item, starts.get(item["id"], moment.now), end) for item in after]
    return Plan(items, end, _credits(before, moment, debit_of) if prorates else [])


def _all_get_another_rhythm(pairs: dict[str, Record], after: list[Record]) -> bool:
    return all(
        item["id"] not in pairs
        or not same_rhythm(pairs[item["id"]]["price"]["recurring"], item["price"]["recurring"])
        for item in after
    ) and not any(
        same_rhythm(old["price"]["recurring"], item["price"]["recurring"])
        for item in after
        for old in pairs.values()
    )


def _placed(item: Record, before: Record | None, moment: Moment) -> Record:
    recurring = item["price"]["recurring"]
    if before is not None and same_rhythm(before["price"]["recurring"], recurring):
        return _with_period(item, before["current_period_start"], before["current_period_end"])
    return _with_period(item, *period_at(moment.now, recurring, anchor=moment.anchor))


def _with_period(item: Record, start: int, end: int) -> Record:
    return {**item, "current_period_start": start, "current_period_end": end}


def _end(item: Record, anchor: int) -> int:
    return period_end(anchor, item["price"]["recurring"], anchor=anchor)


def _is_changed(before: Record | None, after: Record) -> bool:
    if before is None:
        return True
    same_price = before["price"]["id"] == after["price"]["id"]
    return not same_price or before["quantity"] != after["quantity"]


def _credits(items: list[Record], moment: Moment, debit_of: DebitOf) -> list[Proration]:
    found = []
    for item in items:
        debit = debit_of(item["id"])
        amount = unused(debit, moment.proration_date)
        if debit is not None and amount:
            start = max(debit.start, moment.proration_date)
            found.append(Proration(item, -amount, start, debit.end))
    return found


def _debits(items: list[Record], moment: Moment) -> list[Proration]:
    found = []
    for item in items:
        start, end = item["current_period_start"], item["current_period_end"]
        at = moment.proration_date
        amount = remaining(item_amount(item), start, end, at)
        if at < end:
            found.append(Proration(item, amount, max(start, at), end))
    return found
