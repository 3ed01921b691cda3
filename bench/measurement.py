"""Rounds, medians, ratios and the picture. Nothing here asserts: a benchmark only tells."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_BAR_PIXELS = 520
_ROW_PIXELS = 30
_LABEL_PIXELS = 300


@dataclass
class Road:
    """One thing that was measured, in events per second, once per round.

    `limit`: what it is held against; by default the smallest limit of the report.
    """

    name: str
    rates: list[float] = field(default_factory=list)
    is_limit: bool = False
    limit: Road | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.rates)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed, by nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def machine() -> str:
    """What the figures were taken on."""
    cpu = "unknown CPU"
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = f"{len(models)} x {models[0].split(':', 1)[1].strip()}" if models else cpu
    return f"{cpu}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def report(title: str, roads: Sequence[Road], *, folder: Path) -> None:
    """Print medians, spreads and ratios to the smallest limit; draw them."""
    smallest = min(road.median for road in roads if road.is_limit)
    print(f"\n{title}\n{machine()}")
    for road in roads:
        limit = smallest if road.limit is None else road.limit.median
        role = "limit" if road.is_limit else f"{road.median / limit:5.2f} of its limit"
        print(
            f"  {road.name:<46} {road.median:9.0f}/s  "
            f"({min(road.rates):.0f}-{max(road.rates):.0f}, n={len(road.rates)})  {role}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    slug = title.split(":", 1)[0].replace(" ", "-").lower()
    (folder / f"{slug}.svg").write_text(_chart(title, roads))
    (folder / f"{slug}.json").write_text(
        json.dumps(
            {
                "title": title,
                "machine": machine(),
                "roads": [
                    {"name": road.name, "is_limit": road.is_limit, "rates": road.rates}
                    for road in roads
                ],
            },
            indent=2,
        )
        + "\n"
    )


def _chart(title: str, roads: Sequence[Road]) -> str:
    longest = max(road.median for road in roads)
    rows = []
    for index, road in enumerate(roads):
        top = 50 + index * _ROW_PIXELS
        width = max(1.0, road.median / longest * _BAR_PIXELS)
        colour = "#b8c4ce" if road.is_limit else "#2f6f4f"
        rows.append(
            f'<text x="{_LABEL_PIXELS - 10}" y="{top + 15}" text-anchor="end">{road.name}</text>'
            f'<rect x="{_LABEL_PIXELS}" y="{top}" width="{width:.0f}" height="20" fill="{colour}"/>'
            f'<text x="{_LABEL_PIXELS + width + 6:.0f}" y="{top + 15}">{road.median:,.0f}/s</text>'
        )
    width = _LABEL_PIXELS + _BAR_PIXELS + 100
    height = 70 + len(roads) * _ROW_PIXELS
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="13">'
        '<rect width="100%" height="100%" fill="white"/>'
        f'<text x="16" y="26" font-size="16">{title}</text>{"".join(rows)}</svg>\n'
    )
