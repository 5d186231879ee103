"""How many events a second the projector commits when it is behind, by tenth of the backlog.

Needs servers without a projector: `outlay up --only postgres,kafka,registry`, then `python -m bench.live`.
The backlog is written first, so that the projector has the machine for itself.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import psutil

from ingestion import events
from ingestion.codec import Codec
from ingestion.producer import EventProducer
from outlay.db import session
from outlay.settings import settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    count = parser.parse_args().events
    chosen = settings()
    began = time.perf_counter()
    with EventProducer(chosen.bootstrap, Codec(chosen.registry), client_id="bench") as producer:
        workspace, account = events.new_id(), events.new_id()
        for number in range(count):
            producer.send("transaction", purchase(workspace, account, number))
    print(f"backlog of {count} events written in {time.perf_counter() - began:.1f} s")
    with session("projector", autocommit=True) as connection:
        measure(connection, count)


def purchase(workspace: UUID, account: UUID, number: int) -> dict:
    return events.transaction(
        workspace_id=workspace,
        transaction_id=events.derived_id(workspace, number),
        event_id=events.derived_id(workspace, "recorded", number),
        account_id=account,
        kind="expense",
        occurred_on=date(2026, 1, 1) + timedelta(days=number % 365),
        amount=Decimal(100 + number % 9_900) / 100,
        currency="CAD",
        source="import",
        merchant="Corner Bakery",
        description=f"CORNER BAKERY #{number % 500:03} TORONTO ON",
        category_id="food.groceries",
        category_source="rule",
        category_confidence=0.9,
        decided_by="bench",
    )


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
