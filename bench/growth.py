"""What a log of any size would take, from what an event took in `outlay bench warehouse --json`.

Everything is counted as so many events times what one took: bytes of each store, the time of a full build on the
machine that was measured, and the rate of the busiest hour. Nothing is measured here, and nothing needs to be up:
``outlay bench warehouse --json > found.json``, then ``outlay bench growth found.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SIZES = (10_000_000, 1_000_000_000, 100_000_000_000)
_SECONDS_A_YEAR = 365.25 * 86_400
_UNITS = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6))


_STAGING = "staging (Spark)"  # which has every core of the machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("found", type=Path, help="what `outlay bench warehouse --json` printed")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="events in the log")
    parser.add_argument("--years", type=float, default=5, help="over which they came")
    parser.add_argument("--peak", type=float, default=10, help="how much busier than the average the busiest hour is")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = json.loads(chosen.found.read_text(encoding="utf-8"))
    one = of_one_event(max(found["sizes"], key=lambda size: size["events"]), cores=found["cores"])
    sized = [of_many(one, events, years=chosen.years, peak=chosen.peak) for events in chosen.sizes]
    if chosen.json:
        print(json.dumps({"one": one, "sizes": sized}, indent=2))
    else:
        print("\n".join(_table(one, sized)))


def of_one_event(measured: Mapping[str, Any], *, cores: int) -> dict[str, Any]:
    """Bytes by store, and microseconds of a full build by step, that one of the measured events took.

    Args:
        measured: one of the ``sizes`` that the benchmark found.
        cores: of the machine that was measured.
    """
    events, full, more = measured["events"], measured["full"], measured["events"] + measured["more"]
    ends, steps = full["ends_after"], full["steps"]
    spent = {
        "landing": ends["bronze"],
        _STAGING: steps["silver/transaction_batch"],
        "publication": steps["silver/transaction_events"],
        "models and their tests (dbt)": ends["gold"] - ends["silver"],
        "checks on gold": full["seconds"] - ends["gold"],
    }
    spent["audits, and waiting"] = full["seconds"] - sum(spent.values())
    return {
        "bytes": {store: taken / more for store, taken in measured["bytes"].items()},
        "us": {step: seconds / events * 1e6 for step, seconds in spent.items()},
        "staging_core_us": spent[_STAGING] / events * 1e6 * cores,
    }


def of_many(one: Mapping[str, Any], events: int, *, years: float, peak: float) -> dict[str, Any]:
    """What so many events take, which came over `years` years, in the busiest hour `peak` times as many as usual."""
    return {
        "events": events,
        "bytes": {store: taken * events for store, taken in one["bytes"].items()},
        "full_build_hours": sum(one["us"].values()) * events / 3600e6,
        "staging_core_hours": one["staging_core_us"] * events / 3600e6,
        "events_a_day": events / years / 365.25,
        "events_a_second_at_most": events / years / _SECONDS_A_YEAR * peak,
    }


def _table(one: Mapping[str, Any], sized: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [_row("events", "one", [f"{size['events']:,}" for size in sized])]
    lines += [
        _row(store.replace("_", ", ", 1), f"{taken:,.0f} B", [_bytes(size["bytes"][store]) for size in sized])
        for store, taken in one["bytes"].items()
    ]
    lines += [
        _row(step, f"{us:.1f} us", [_hours(us * size["events"] / 3600e6) for size in sized])
        for step, us in one["us"].items()
    ]
    us = sum(one["us"].values())
    lines += [
        _row("full build", f"{us:.1f} us", [_hours(size["full_build_hours"]) for size in sized]),
        _row(
            "staging, hours of one core",
            f"{one['staging_core_us']:.1f} us",
            [_hours(size["staging_core_hours"]) for size in sized],
        ),
        _row("events a day", "", [f"{size['events_a_day']:,.0f}" for size in sized]),
        _row("a second, at most", "", [f"{size['events_a_second_at_most']:,.1f}" for size in sized]),
    ]
    return lines


def _row(name: str, one: str, sized: Sequence[str]) -> str:
    return f"{name:<29}{one:>9}" + "".join(f"{value:>17}" for value in sized)


def _bytes(count: float) -> str:
    unit, size = next(((unit, size) for unit, size in _UNITS if count >= size), _UNITS[-1])
    return f"{count / size:,.1f} {unit}"


def _hours(hours: float) -> str:
    return f"{hours * 60:,.1f} min" if hours < 2 else f"{hours:,.1f} h"


if __name__ == "__main__":
    main()
