"""How many events a second `outlay replay` builds live from, while a reader reads, with all indexes at the end.

Needs servers: `outlay up --only postgres,kafka,registry,live`, then `outlay bench replay --events 5000000`. The
purchases are written to the log, live reads them, bronze lands them; only the replay is measured. They stay there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import psutil

from bench import purchases
from outlay.db import session


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    count = parser.parse_args().events
    _timed("written", lambda: purchases.write(count))
    _timed("read by live", purchases.wait_until_read)
    _timed("landed", purchases.land_all)
    print(f"live holds {_in_live():,} events")
    waits: list[float] = []
    stop = threading.Event()
    reader = threading.Thread(target=_read, args=(stop, waits))
    reader.start()
    began = time.perf_counter()
    command = [sys.executable, "-m", "outlay", "replay", "--json"]
    replay = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak = _peak(replay.pid)
    said = json.loads(replay.stdout.read())
    seconds = time.perf_counter() - began
    stop.set()
    reader.join()
    print(f"replay   : {said['events_per_second']:>10,} events/s from the first file to the last index")
    print(f"whole    : {said['events'] / seconds:>10,.0f} events/s in {seconds:.1f} s, comparison and swap included")
    print(f"equal    : {said['equal']}, swapped: {said['swapped']}")
    print(f"memory   : {peak[0] / 2**20:,.0f} MiB of the largest process")
    print(f"a reader : {len(waits):,} reads meanwhile, the longest {max(waits) * 1000:,.0f} ms")


def _timed(what: str, work: Callable[[], None]) -> None:
    began = time.perf_counter()
    work()
    print(f"{what} in {time.perf_counter() - began:.1f} s", flush=True)


def _in_live() -> int:
    with session("projector") as connection:
        return connection.execute("SELECT count(*) FROM live.events").fetchone()[0]


def _read(stop: threading.Event, waits: list[float]) -> None:
    """Read one household's newest purchases again and again; each has to be there."""
    with session("projector", autocommit=True) as connection:
        (workspace,) = connection.execute("SELECT workspace_id FROM live.transactions LIMIT 1").fetchone()
        query = "SELECT count(*) FROM live.monthly_totals WHERE workspace_id = %s"
        (expected,) = connection.execute(query, (workspace,)).fetchone()
        while not stop.wait(0.05):
            began = time.perf_counter()
            (found,) = connection.execute(query, (workspace,)).fetchone()
            waits.append(time.perf_counter() - began)
            if found != expected:
                raise SystemExit(f"a reader found {found} totals of a household that has {expected}")


def _peak(pid: int) -> list[int]:
    """Follow the memory of a process and its children; the list's one entry is the most that one of them had."""
    peak = [0]

    def follow() -> None:
        try:
            process = psutil.Process(pid)
            while True:
                for each in (process, *process.children(recursive=True)):
                    peak[0] = max(peak[0], each.memory_info().rss)
                time.sleep(0.1)
        except psutil.Error:
            return

    threading.Thread(target=follow, daemon=True).start()
    return peak


if __name__ == "__main__":
    main()
