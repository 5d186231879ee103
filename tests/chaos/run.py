"""The long run: hundreds of random faults on servers of its own, and the check that nothing was lost or counted twice.

python -m tests.chaos.run --faults 300 --seed 7          one run
python -m tests.chaos.run --faults 1000 --recorded       over the seeds of tests/chaos/seeds.txt, shared out equally

The seed decides the faults, their order and the traffic; the moments at which they meet are the machine's.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.chaos.campaign import Done, campaign
from tests.chaos.faults import Fault, able
from tests.chaos.world import world
from tests.homes import Home, home_with

RECORDED = Path(__file__).with_name("seeds.txt")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 when every fault was reached and nothing differs."""
    chosen = _chosen(arguments)
    seeds = recorded() if chosen.recorded else [chosen.seed]
    shares = [len(range(number, chosen.faults, len(seeds))) for number in range(len(seeds))]
    _say("starting PostgreSQL, Kafka and the registry in a folder of their own")
    runs = []
    with home_with("postgres", "kafka", "registry") as home:
        for seed, share in zip(seeds, shares, strict=True):
            if share:
                runs.append(run(home, seed, share))
                print(_line(runs[-1]), file=sys.stderr if chosen.json else sys.stdout, flush=True)
    if chosen.json:
        print(json.dumps(runs, indent=2))
    return 0 if all(each["passed"] for each in runs) else 1


def run(home: Home, seed: int, faults: int) -> dict[str, Any]:
    """One run on a fresh database and lake, as a figure or a text by name."""
    _say(f"seed {seed}: {faults} faults")
    began, done, error = time.monotonic(), Done(), None

    def tell(number: int, fault: Fault, said: str, seconds: float) -> None:
        _say(f"{number:4}/{faults} {seconds:5.1f} s  {fault.name}: {said}")

    with world(home.settings, seed=seed, hostile=True) as here:
        try:
            among = able(shared=True, mounts=here.mounted)
            campaign(here, faults=faults, among=among, tell=tell, done=done)
        except Exception as problem:  # a run that stops is a result: its seed repeats it
            error = f"{type(problem).__name__}: {problem}"
            _say(f"seed {seed} stopped: {error}")
        traffic = here.traffic
        acknowledged = len(traffic.said.places.keys() - traffic.aborted)
        lake = "a file system of its own" if here.mounted else "a folder: it was never full nor read-only"
    recoveries = sorted(done.recoveries) or [0.0]
    struck = sum(done.struck.values())
    return {
        "seed": seed,
        "passed": error is None and struck == faults and not done.differences,
        "error": error,
        "faults": struck,
        "kinds": len(done.struck),
        "by_kind": {
            name: {"faults": count, "seconds": round(done.seconds[name], 1)}
            for name, count in sorted(done.struck.items())
        },
        "seconds": round(time.monotonic() - began, 1),
        "recovery_seconds": {
            "median": round(recoveries[len(recoveries) // 2], 2),
            "longest": round(recoveries[-1], 2),
        },
        "acknowledged": acknowledged,
        "aborted": len(traffic.aborted),
        "unacknowledged": len(traffic.said.errors),
        "rows_compared": done.differences.rows,
        "checks": done.checks,
        "lost": done.differences.lost,
        "doubled": done.differences.doubled,
        "invented": done.differences.invented,
        "changed": done.differences.changed,
        "examples": done.differences.examples,
        "lake": lake,
    }


def recorded() -> list[int]:
    """The seeds of the file, one a line; what stands after a # is a remark."""
    lines = (line.partition("#")[0].strip() for line in RECORDED.read_text().splitlines())
    return [int(line) for line in lines if line]


def _line(run: dict[str, Any]) -> str:
    verdict = "passed" if run["passed"] else f"FAILED ({run['error'] or '; '.join(run['examples'])})"
    return (
        f"seed {run['seed']} {verdict}: {run['faults']} faults of {run['kinds']} kinds in {run['seconds']:.0f} s,"
        f" {run['acknowledged']} messages acknowledged, {run['lost']} lost, {run['doubled']} doubled,"
        f" {run['invented']} invented, {run['changed']} changed in {run['rows_compared']} rows compared"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _chosen(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=300, help="how many (300)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="of everything random")
    which.add_argument("--recorded", action="store_true", help=f"the seeds of {RECORDED.name}, one run each")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
