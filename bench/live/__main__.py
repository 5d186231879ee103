"""The projector beside its peers, and beside the most that this machine could do, all in one run.

drain     so many events wait, and are written at once. Median of the rounds; rates are of the last four fifths.
paced     events come at an even pace; from the call that sent one until a reader could see it.
beside    1,000 events a second come while full builds of the warehouse run, one after the other.
kill      SIGKILL while 1,000 events a second come, started again at once.

`outlay` is `outlay live` with the production schema: history, decisions, indexes, totals. `outlay plain` is the same
reading, in one session, with a plain upsert into one table, which is what `connect` (Kafka Connect with Debezium's JDBC
sink) and `spark` (Structured Streaming, foreachBatch) do by themselves; with `+ triggers` they upsert too, and triggers
do all the rest. A system whose contents are not those that the log asks for is marked INVALID.

Needs servers without a projector: `outlay up --only postgres,kafka,registry`, then `outlay bench live`; for `beside`
also `spark,code,webserver,daemon`. What it writes stays in the log.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from statistics import median
from typing import Any

from bench import purchases
from bench.live import checks, limits, measure, scene
from bench.live.builds import building
from bench.live.connect import Connect
from bench.live.measure import Drained, Failed
from bench.live.plain import Plain
from bench.live.projector import Projector
from bench.live.scene import Scene
from bench.live.spark import Spark
from bench.live.system import System
from ingestion import garbage

SYSTEMS: dict[str, Callable[[], System]] = {
    "outlay": Projector, "plain": Plain, "connect": Connect, "spark": Spark
}  # fmt: skip
PARTS = ("drain", "paced", "beside", "kill")
RATES = (1_000, 5_000)  # events a second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000, help="of one drain")
    parser.add_argument("--history", type=int, default=100_000, help="events that live holds before")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30, help="of one pace")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=["outlay"], help="default: outlay alone")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["drain"])
    parser.add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args()
    garbage.collect_seldom()  # a pause of this process would look like one of the system's
    say = partial(print, file=sys.stderr if given.as_json else sys.stdout, flush=True)
    bench = Bench(given.events, given.history, [SYSTEMS[name]() for name in given.systems], say)
    found = bench.run(given.parts, given.rounds, given.seconds)
    if given.as_json:
        print(json.dumps(found))
    else:
        print(*_told(found), sep="\n")
    sys.exit(any(system.get("invalid") for system in found["systems"].values()))


class Bench:
    """One run.

    Args:
        count: events of a drain.
        history: events that live holds before.
        say: told each result as it comes.
    """

    def __init__(self, count: int, history: int, systems: list[System], say: Callable[[str], None]):
        self._count, self._say, self._systems = count, say, systems
        for system in systems:
            system.prepare()
        self._topics = scene.topics()
        self._begin = scene.ends(self._topics)
        purchases.write(history)
        self._start = scene.ends(self._topics)
        self._history = scene.records(self._topics, self._begin, self._start)
        self._results: dict[str, dict[str, Any]] = {}

    def run(self, parts: Iterable[str], rounds: int, seconds: float) -> dict[str, Any]:
        """Rates in events a second, CPU in microseconds an event, times in milliseconds, memory in MiB."""
        found: dict[str, Any] = {"events": self._count, "systems": self._results}
        if "drain" in parts:
            purchases.write(self._count)
            found["limits"] = self._drain(rounds)
        for system in self._systems:
            if "paced" in parts:
                for rate in RATES:
                    self._paced(system, rate, seconds)
            if "beside" in parts:
                self._beside(system, seconds)
            if "kill" in parts:
                self._kill(system)
        found["ratios"] = _ratios(found)
        return found

    def _drain(self, rounds: int) -> dict[str, Any]:
        end = scene.ends(self._topics)
        rates: dict[str, list[float]] = {"merge": [], "upsert": [], "consume": []}
        drained: dict[str, list[Drained]] = {}
        expected: checks.Sums = {}
        for number in range(1, rounds + 1):
            rate, batches = limits.consumed(self._start, end)
            rates["consume"].append(rate)
            with self._scene() as at:
                rates["upsert"].append(limits.upserted(at, batches))
            del batches
            with self._scene() as at:
                rates["merge"].append(limits.merged(at, scene.records(self._topics, self._start, end)))
                expected |= checks.sums(at, "live.transactions") | checks.expected_plain(at)
            self._say("round {}: merge {:,.0f}, upsert {:,.0f}, only read {:,.0f} events/s".format(
                number, *(of[-1] for of in rates.values())))  # fmt: skip
            for system in self._systems:
                for with_triggers in (False, True) if system.by_triggers else (False,):
                    name = f"{system.name} + triggers" if with_triggers else system.name
                    with self._valid(name), self._scene(with_triggers=with_triggers) as at:
                        found = self._drained(name, system, at, end, expected)
                        drained.setdefault(name, []).append(found)
        for name, of in drained.items():
            self._result(name).update(_summary(of))
        return {name: round(median(of)) for name, of in rates.items()}

    def _drained(self, name: str, system: System, at: Scene, end: scene.Places, expected: checks.Sums) -> Drained:
        found = measure.drain(system, at, end, self._count)
        wrong = [table for table, sums in checks.sums(at, system.table).items() if sums != expected[table]]
        if wrong:
            raise Failed(f"{', '.join(wrong)} is not what the log says")
        self._say(
            f"  {name:<20} {found.rate:>9,.0f} events/s, CPU {found.sink_cpu:.1f} + {found.database_cpu:.1f} us, "
            f"{found.memory / 2**20:,.0f} MiB"
        )
        return found

    def _paced(self, system: System, rate: int, seconds: float) -> None:
        with self._valid(system.name), self._scene(scene.ends(self._topics)) as at:
            found = measure.paced(system, at, rate, seconds)
            self._result(system.name).setdefault("paced", {})[str(rate)] = asdict(found)
            self._say(
                f"  {system.name:<20} {rate:,}/s: p50 {found.p50_ms} ms, p95 {found.p95_ms} ms, p99 {found.p99_ms} ms"
            )

    def _beside(self, system: System, seconds: float) -> None:
        with self._valid(system.name), self._scene(scene.ends(self._topics)) as at:
            with building() as builds:
                found = measure.paced(system, at, RATES[0], seconds)
            self._result(system.name)["beside_builds"] = asdict(found) | {"build_seconds": builds}
            self._say(
                f"  {system.name:<20} {RATES[0]:,}/s beside builds of {', '.join(map(str, builds))} s: "
                f"p50 {found.p50_ms} ms, p95 {found.p95_ms} ms, p99 {found.p99_ms} ms"
            )

    def _kill(self, system: System) -> None:
        with self._valid(system.name), self._scene(scene.ends(self._topics)) as at:
            found = measure.killed(system, at, RATES[0])
            self._result(system.name).update(asdict(found))
            said = f"{found.lost} lost, {found.doubled} doubled, caught up after {found.recovery_s} s"
            self._say(f"  {system.name:<20} killed: {said}")

    @contextmanager
    def _valid(self, name: str) -> Iterator[None]:
        """A system that fails, or writes what the log does not say, has no figure."""
        try:
            yield
        except Failed as reason:
            self._result(name)["invalid"] = str(reason)
            self._say(f"  {name:<20} INVALID: {reason}")

    def _result(self, name: str) -> dict[str, Any]:
        return self._results.setdefault(name, {})

    @contextmanager
    def _scene(self, start: scene.Places | None = None, *, with_triggers: bool = False) -> Iterator[Scene]:
        """With the history; the system begins to read at `start`, or behind the history."""
        start = start or self._start
        with scene.opened(self._topics, self._begin, self._history, start, with_triggers=with_triggers) as at:
            yield at


def _summary(rounds: list[Drained]) -> dict[str, Any]:
    return {
        "events_per_second": round(median(of.rate for of in rounds)),
        "slowest_round": round(min(of.rate for of in rounds)),
        "events_per_cpu_second": round(1e6 / median(of.sink_cpu for of in rounds)),
        "sink_cpu_us": round(median(of.sink_cpu for of in rounds), 1),
        "database_cpu_us": round(median(of.database_cpu for of in rounds), 1),
        "last_tenth_to_first": round(median(of.tenths[-1] / max(of.tenths[0], 1) for of in rounds), 2),
        "peak_rss_mb": round(max(of.memory for of in rounds) / 2**20),
        "rounds": [asdict(of) for of in rounds],
    }


def _ratios(found: dict[str, Any]) -> dict[str, float]:
    """Of medians. Against the best peer: a plain upsert, and with `production` the whole schema, theirs by triggers."""
    systems, at_most = found["systems"], found.get("limits", {})
    made: dict[str, float] = {}

    def of(name: str, what: str) -> float | None:
        return systems.get(name, {}).get(what)

    def against(label: str, ours: float | None, peers: Iterable[float | None], way: Callable = max) -> None:
        there = [peer for peer in peers if peer]
        if ours and there:
            made[label] = round(ours / way(there), 2)

    for label, name, suffix in (("", "outlay plain", ""), ("production_", "outlay", " + triggers")):
        names = [peer + suffix for peer in ("connect", "spark")]
        against(f"{label}events_per_second_vs_best_peer", of(name, "events_per_second"),
                [of(peer, "events_per_second") for peer in names])  # fmt: skip
        against(f"{label}slowest_round_vs_best_peer", of(name, "slowest_round"),
                [of(peer, "events_per_second") for peer in names])  # fmt: skip
        against(f"{label}cpu_vs_best_peer", of(name, "events_per_cpu_second"),
                [of(peer, "events_per_cpu_second") for peer in names])  # fmt: skip
    against("limit_share", of("outlay", "events_per_second"), [at_most.get("merge")])
    against("plain_limit_share", of("outlay plain", "events_per_second"), [at_most.get("upsert")])
    for rate in map(str, RATES):
        p99 = [systems.get(name, {}).get("paced", {}).get(rate, {}).get("p99_ms") for name in ("outlay", "connect")]
        against(f"p99_vs_connect_at_{rate}", p99[0], [p99[1]])
    return made


def _told(found: dict[str, Any]) -> Iterator[str]:
    for name, of in found["systems"].items():
        if "invalid" in of:
            yield f"{name:<20} INVALID: {of['invalid']}"
        if "events_per_second" in of:
            yield (
                f"{name:<20} {of['events_per_second']:>9,} events/s (slowest {of['slowest_round']:,}), "
                f"{of['events_per_cpu_second']:,} a CPU second of the sink, {of['peak_rss_mb']:,} MiB"
            )
    for name, rate in found.get("limits", {}).items():
        yield f"{name + ' alone':<20} {rate:>9,} events/s"
    for name, ratio in found["ratios"].items():
        yield f"{name:<42} {ratio}"


if __name__ == "__main__":
    main()
