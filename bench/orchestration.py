"""What Dagster adds to a build: beside the same functions called one after the other in a process of their own.

Both make the same of the same events, on the same servers, with Spark's server warm: everything anew, and what is added
on top, in turn. Both times are those of whoever waits: from the command to its end, with the start of Python, Dagster's
queue and the start of its run.

Needs the whole stack: `outlay up`, then `outlay bench orchestration`. It empties bronze, silver and gold of this
installation, and what it writes stays in the log: use an installation made for it (`OUTLAY_HOME`), whose log is empty.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from bench import warehouse
from bench.households import Street
from outlay.settings import settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000, help="events in the log")
    parser.add_argument("--more", type=int, default=10_000, help="events on top, each time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if settings().auto_build:
        raise SystemExit("expected OUTLAY_AUTO_BUILD=false: sensors would build beside what is measured")
    warehouse.refuse_used_log()
    street = Street()
    warehouse.fill(street, chosen.events)
    _timed(dagster)  # Spark's server and the files of every server's cache are warm from here on
    found: dict[str, Any] = {"everything": _rounds(chosen.rounds, warehouse.empty)}
    found["on_top"] = _rounds(chosen.rounds, lambda: warehouse.add(street, chosen.more))
    if chosen.json:
        print(json.dumps(found, indent=2))
        return
    for name, sides in found.items():
        print(
            f"{name:<12} bare {sides['bare']:7.1f} s   dagster {sides['dagster']:7.1f} s"
            f"   overhead {sides['overhead']:6.1%}"
        )


def _rounds(rounds: int, prepare: Callable[[], None]) -> dict[str, Any]:
    """Both sides in turn, each round the other one first, each after `prepare`; medians, and how they compare."""
    seconds: dict[str, list[float]] = {"bare": [], "dagster": []}
    for number in range(rounds):
        for side in (bare, dagster) if number % 2 == 0 else (dagster, bare):
            prepare()
            seconds[side.__name__].append(_timed(side))
    medians = {name: round(statistics.median(of), 2) for name, of in seconds.items()}
    return {**medians, "overhead": round(medians["dagster"] / medians["bare"] - 1, 4), "rounds": seconds}


def bare() -> None:
    _run("-m", "bench.bare")


def dagster() -> None:
    _run("-m", "outlay", "build", "--json")


def _run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed: see above, and `outlay logs`")


def _timed(side: Callable[[], None]) -> float:
    began = time.monotonic()
    side()
    seconds = round(time.monotonic() - began, 2)
    print(f"{side.__name__:<8} {seconds:8.1f} s", file=sys.stderr, flush=True)
    return seconds


if __name__ == "__main__":
    main()
