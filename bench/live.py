"""How many events a second the projector commits when it is behind, by tenth of the backlog.

Needs servers without a projector: `outlay up --only postgres,kafka,registry`, then `python -m bench.live`.
The backlog is written first, so that the projector has the machine for itself.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import psutil

from bench import purchases
from outlay.db import session


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    count = parser.parse_args().events
    began = time.perf_counter()
    purchases.write(count)
    print(f"backlog of {count} events written in {time.perf_counter() - began:.1f} s")
    with session("projector", autocommit=True) as connection:
        measure(connection, count)


def measure(connection, count: int) -> None:
    before = committed(connection)
    live = subprocess.Popen([sys.executable, "-m", "outlay", "live"], stdout=subprocess.DEVNULL)
    try:
        while committed(connection) == before:
            time.sleep(0.01)
        process = psutil.Process(live.pid)
        first, last, tenth, marks = time.perf_counter(), 0, count // 10, []
        base = done = committed(connection)
        while done < before + count:
            time.sleep(0.02)
            done = committed(connection)
            while len(marks) < 10 and done - base >= (len(marks) + 1) * tenth - (base - before):
                marks.append((time.perf_counter() - first, done - base))
        for number, (seconds, rows) in enumerate(marks, start=1):
            since, upto = marks[number - 2] if number > 1 else (0, 0)
            print(f"tenth {number:>2}: {(rows - upto) / (seconds - since):>8,.0f} events/s")
            last = seconds
        cpu, memory = process.cpu_times(), process.memory_info().rss
        print(f"all      : {(done - base) / last:>8,.0f} events/s")
        print(f"projector: {(cpu.user + cpu.system) / count * 1e6:.0f} us of CPU an event, {memory / 2**20:.0f} MiB")
    finally:
        live.terminate()
        live.wait()


def committed(connection) -> int:
    return connection.execute("SELECT coalesce(sum(next_offset), 0)::bigint FROM live.offsets").fetchone()[0]


if __name__ == "__main__":
    main()
