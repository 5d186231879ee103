"""Times the whole line on the running stack: a file in, built to gold, the file again, and one expense more.

    .venv/bin/outlay up
    .venv/bin/outlay bench main-line FILE --map date=date,merchant=merchant,amount=amount_cad,category=category \\
        --currency CAD

Everything after FILE goes to `outlay import`. Prints one line a figure; rates stand beside the rate of the same run's
plain read of the file by Python's csv module, because the speed of shared machines drifts.
"""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
import time
from datetime import date
from decimal import Decimal
from pathlib import Path

from ingestion.events import owner_of
from outlay.db import session
from outlay.ledger.commands import Ledger, TransactionDraft
from outlay.ledger.workspaces import all_workspaces


def outlay(*args: str) -> tuple[dict, float, int]:
    """What the verb printed as JSON, its seconds, and its peak resident memory in bytes."""
    started = time.monotonic()
    command = [sys.executable, "-m", "outlay", *args, "--json"]
    process = subprocess.Popen(["/usr/bin/env", *command], stdout=subprocess.PIPE, text=True)
    out, peak = _read(process)
    if process.returncode != 0:
        raise SystemExit(f"outlay {' '.join(args)} exited with {process.returncode}")
    return json.loads(out), time.monotonic() - started, peak


def _read(process: subprocess.Popen[str]) -> tuple[str, int]:
    import threading

    import psutil

    peak = 0
    chunks: list[str] = []
    reader = threading.Thread(target=lambda: chunks.append(process.stdout.read()))
    reader.start()
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            peak = max(peak, watched.memory_info().rss)
        except psutil.Error:
            break
        time.sleep(0.1)
    process.wait()
    reader.join()
    return "".join(chunks), peak


def plain_read(path: Path) -> tuple[int, float]:
    """Rows of the file and the seconds that only reading them takes."""
    started = time.monotonic()
    with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
        rows = sum(1 for _ in csv.reader(file)) - 1
    return rows, time.monotonic() - started


def one_expense() -> None:
    """Record one in the account that the file went into."""
    workspace = next(found for found in all_workspaces() if found.name == "Personal").workspace_id
    with session("operator", workspace_id=workspace) as connection:
        account_id = connection.execute("SELECT account_id FROM live.accounts WHERE name = 'Imported'").fetchone()[0]
    draft = TransactionDraft(
        account_id=account_id, occurred_on=date(2017, 6, 30), amount=Decimal("12.34"), currency="CAD", description="one"
    )
    with Ledger() as ledger:
        ledger.record(draft, workspace_id=workspace, actor_id=owner_of(workspace), source="app")


def main(file: str, *options: str) -> None:
    rows, seconds = plain_read(Path(file))
    print(f"rows of the file                {rows:>12,}")
    print(f"only reading it                 {rows / seconds:>12,.0f} rows/s")
    said, seconds, peak = outlay("import", file, *options)
    print(f"import, decided in live         {said['inserted'] / seconds:>12,.0f} rows/s in {seconds:.1f} s")
    if said.get("tenths"):
        first, last = said["tenths"][0], said["tenths"][-1]
        print(f"  its last tenth to its first   {last / first:>12.2f}")
    print(f"  the importer's memory         {peak / 2**20:>12,.0f} MiB")
    said, seconds, _ = outlay("build")
    print(f"build                           {seconds:>12.1f} s")
    for layer in ("bronze", "silver", "reference", "staging", "intermediate", "gold"):
        ends = [f["at"] for key, f in said["assets"].items() if key.startswith(f"{layer}/")]
        if ends:
            began = min(figures["at"] for figures in said["assets"].values())
            print(f"  {layer:<29} {max(ends) - began:>12.1f} s after its first asset")
    said, seconds, _ = outlay("import", file, *options)
    print(f"the file again: {said['inserted']} added        {seconds:>12.1f} s")
    one_expense()
    said, seconds, _ = outlay("build")
    rows = max(figures["rows_read"] for figures in said["assets"].values())
    print(f"build of one expense more       {seconds:>12.1f} s, at most {rows} rows read in a step")
    said, seconds, _ = outlay("build")
    print(f"build with nothing new          {seconds:>12.1f} s")
    status, seconds, _ = outlay("status")
    print(f"figures of every layer          {seconds:>12.1f} s")
    for layer, figures in status["layers"].items():
        print(f"  {layer:<8} {figures['transactions']:>12,} transactions  {figures['totals']}")
    for name, service in status["services"].items():
        if service.get("memory_bytes"):
            print(f"  {name:<12} {service['memory_bytes'] / 2**20:>8,.0f} MiB")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] == "--help":
        print(__doc__)
    else:
        main(*sys.argv[1:])
