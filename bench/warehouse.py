"""What a build of the warehouse costs as the log grows: of everything, and of a little on top.

For each size the log is filled up to it, with households that buy for a year. Then bronze, silver and gold are emptied
and built from the whole log, and built some more times, each after some events of a hundred households have been added;
of these the median counts. Between two sizes stands what an event more costs. The builds are those of Dagster, with
every check.

Needs the whole stack: `outlay up`, then `outlay bench warehouse`. It empties bronze, silver and gold of this
installation, and what it writes stays in the log: use an installation made for it (`OUTLAY_HOME`), whose log is empty.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, TextIO

from bench import sizes
from bench.households import Street
from bench.purchases import wait_until_read
from outlay.db import session
from outlay.ledger.backlog import backlog
from outlay.settings import settings
from outlay.stack import processes

LAYERS = ("bronze", "silver", "reference", "staging", "intermediate", "gold")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[300_000, 3_000_000], help="events in the log")
    parser.add_argument("--more", type=int, default=10_000, help="events on top of each size, each round")
    parser.add_argument("--rounds", type=int, default=3, help="how often they are added on top")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    to = sys.stderr if chosen.json else sys.stdout
    refuse_used_log()
    street = Street()
    measured = [_measure(street, size, chosen.more, chosen.rounds, to) for size in sorted(chosen.sizes)]
    found = {"cores": os.cpu_count(), "sizes": measured, "ratios": _ratios(measured)}
    if chosen.json:
        print(json.dumps(found, indent=2))
    else:
        for name, ratio in found["ratios"].items():
            print(f"{name:<24} {ratio}")


def _measure(street: Street, size: int, more: int, rounds: int, to: TextIO) -> dict[str, Any]:
    """The builds of one size, each told as soon as it has ended: the largest take most of an hour."""
    fill(street, size)
    empty()
    events = _in_log()
    _tell(events, "all", full := _build(), to)
    on_top = []
    for _ in range(rounds):
        add(street, more)
        on_top.append(_build())
        _tell(events, f"{more:,} more", on_top[-1], to)
    return {
        "events": events,
        "full": full,
        "more": more * rounds,
        "on_top": {"seconds": statistics.median(build["seconds"] for build in on_top), "rounds": on_top},
        "bytes": sizes.taken(),
    }


def add(street: Street, more: int) -> None:
    """Append so many events of a hundred households, and wait until live holds them."""
    street.go_on(more)
    wait_until_read()


def refuse_used_log() -> None:
    """Raise SystemExit unless the log is empty: what it holds of somebody would be measured with it."""
    if _in_log():
        raise SystemExit(
            "expected an installation whose log is empty: set OUTLAY_HOME to a new folder, and `outlay up`"
        )


def fill(street: Street, size: int) -> None:
    """Let households move in until the log holds so many events, and live has read them."""
    missing = size - _in_log()
    if missing > 0:
        _say(f"writing {missing:,} events")
        street.move_in(missing)
    wait_until_read()


def _in_log() -> int:
    with session("projector") as connection:
        asked = "SELECT coalesce(sum(next_offset), 0)::bigint FROM live.offsets WHERE topic = 'transaction'"
        return connection.execute(asked).fetchone()[0] + backlog()["transaction"]["unread"]


def empty() -> None:
    """Bronze, silver and gold as on the first day; the files in the lake stay, and are landed over."""
    with session("owner") as connection:
        names = connection.execute(
            "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables"
            " WHERE schemaname IN ('bronze', 'silver')"
        ).fetchone()[0]
        connection.execute(f"TRUNCATE {names}")
        if connection.execute("SELECT to_regclass('gold.progress')").fetchone() != (None,):
            connection.execute("DELETE FROM gold.progress")  # every table is made anew then


def _build() -> dict[str, Any]:
    _say("building")
    began = time.time()
    with _peak_of_all() as peak:
        command = [sys.executable, "-m", "outlay", "build", "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit("the build failed: see `outlay logs`")
    said = json.loads(done.stdout)
    ends = {
        layer: max((f["at"] for key, f in said["assets"].items() if key.startswith(f"{layer}/")), default=began)
        for layer in LAYERS
    }
    return {
        "seconds": said["seconds"],
        "peak_mb": round(peak[0] / 2**20),
        "ends_after": {layer: round(at - began, 1) for layer, at in ends.items()},
        "rows_read": sum(figures.get("rows_read", 0) for figures in said["assets"].values()),
        "steps": {key: figures.get("seconds") for key, figures in said["assets"].items() if "seconds" in figures},
    }


@contextmanager
def _peak_of_all() -> Iterator[list[int]]:
    """Bytes of all of the installation's processes together, what they share counted once; the most at any time."""
    peak, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(1.0):
            peak[0] = max(peak[0], sum(processes.each(processes.of_home(settings().home), processes.memory)))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield peak
    finally:
        ended.set()
        looking.join()


def _ratios(measured: list[dict[str, Any]]) -> dict[str, Any]:
    """What an event more costs between two sizes, each beside the step before; and what a little on top costs."""
    marginal = [
        (after["full"]["seconds"] - before["full"]["seconds"]) / (after["events"] - before["events"])
        for before, after in pairwise(measured)
    ]
    return {
        "marginal_us_an_event": [round(cost * 1e6, 1) for cost in marginal],
        "marginal_growth": [round(after / before, 2) for before, after in pairwise(marginal)],
        "on_top_of_full": [round(each["on_top"]["seconds"] / each["full"]["seconds"], 3) for each in measured],
        "on_top_growth": [
            round(each["on_top"]["seconds"] / measured[0]["on_top"]["seconds"], 2) for each in measured[1:]
        ],
    }


def _tell(events: int, what: str, figures: dict[str, Any], to: TextIO) -> None:
    ends = ", ".join(f"{layer} {at}" for layer, at in figures["ends_after"].items() if at)
    print(
        f"{events:>12,} events, {what:<12} {figures['seconds']:>8.1f} s  peak {figures['peak_mb']:>6,}"
        f" MiB  rows read {figures['rows_read']:>12,}  ends of layers: {ends}",
        file=to,
        flush=True,
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
