"""`outlay simulate` against real servers: all four topics, nothing twice, and a stream whose figures are the log's."""

from __future__ import annotations

import json
import secrets
import signal
import time
from decimal import Decimal

import pytest

from outlay.db import session
from tests.support import outlay_json, start_outlay, unlanded, until

pytestmark = pytest.mark.integration
SEED = secrets.randbelow(1_000_000_000)  # new households in each run, also on servers that stay
PERIOD = ("--seed", str(SEED), "--start", "2026-03-01", "--end", "2026-04-30")


def log_ends(bootstrap: str) -> dict[tuple[str, int], int]:
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import AdminClient, OffsetSpec

    admin = AdminClient({"bootstrap.servers": bootstrap})
    topics = ("user", "transaction", "report", "reminder")
    places = [TopicPartition(t, p) for t in topics for p in admin.list_topics(t).topics[t].partitions]
    ends = admin.list_offsets({place: OffsetSpec.latest() for place in places})
    return {(place.topic, place.partition): future.result().offset for place, future in ends.items()}


def test_a_simulated_past_is_on_all_four_topics_and_a_second_run_adds_nothing_even_to_kafka(stack):
    first = outlay_json("simulate", *PERIOD)["topics"]
    assert {topic: counts["already_there"] for topic, counts in first.items()} == dict.fromkeys(first, 0)
    assert min(counts["appended"] for counts in first.values()) > 0
    ends = log_ends(stack.bootstrap)

    second = outlay_json("simulate", *PERIOD)["topics"]
    assert {topic: counts["appended"] for topic, counts in second.items()} == dict.fromkeys(first, 0)
    assert {t: c["already_there"] for t, c in second.items()} == {t: c["appended"] for t, c in first.items()}
    assert log_ends(stack.bootstrap) == ends


def test_live_holds_the_simulated_state_to_the_cent(stack):
    from collections import defaultdict
    from datetime import date

    from ingestion.enrich import Enricher
    from ingestion.sources import simulator

    outlay_json("simulate", *PERIOD)
    newest: dict = {}
    made = simulator.events(SEED, date(2026, 3, 1), date(2026, 4, 30), enricher=Enricher(stack.seeds))
    for topic, event in made:
        if topic == "transaction":
            newest[event["workspace_id"], event["transaction_id"]] = event
    expected: dict = defaultdict(Decimal)
    for (workspace_id, _), event in newest.items():
        expected[workspace_id, event["currency"], event["operation"]] += event["amount"]
    with session("projector") as connection:
        rows = connection.execute(
            "SELECT workspace_id, currency, operation, sum(amount) FROM live.transactions "
            "WHERE workspace_id = ANY(%s) GROUP BY 1, 2, 3",
            ([household.workspace_id for household in simulator.households(SEED, 2)],),
        ).fetchall()
    assert {tuple(row[:3]): row[3] for row in rows} == expected


def in_live() -> tuple[int, dict[str, Decimal]]:
    """Current transactions of the streaming households, and their sums by currency."""
    from ingestion.sources.simulator.stream import streaming_households

    with session("projector") as connection:
        rows = connection.execute(
            "SELECT currency, count(*), sum(amount) FROM live.transactions WHERE workspace_id = ANY(%s) GROUP BY 1",
            ([household.workspace_id for household in streaming_households(SEED, 4)],),
        ).fetchall()
    return sum(row[1] for row in rows), {row[0]: row[2] for row in rows}


@pytest.mark.parametrize("ending", ["duration", signal.SIGINT, signal.SIGTERM])
def test_a_stream_says_what_was_acknowledged_and_that_is_what_live_holds(stack, ending):
    count, totals = in_live()
    bound = ("--duration", "3") if ending == "duration" else ()
    simulator = start_outlay("simulate", "--seed", str(SEED), "--rate", "500", *bound, "--json")
    if ending != "duration":
        until(lambda: in_live()[0] > count, what="the stream has begun")
        simulator.send_signal(ending)
    out, err = simulator.communicate(timeout=60)
    assert simulator.returncode == 0, err
    said = json.loads(out)
    assert said["sent"] == said["acknowledged"] == said["transactions"] > 0
    assert said["failed"] == 0
    if ending == "duration":
        assert said["sent"] == 1500
    until(lambda: in_live()[0] - count >= said["transactions"], what="live caught up")
    now, sums = in_live()
    assert now - count == said["transactions"]
    assert {c: sums[c] - totals.get(c, 0) for c in said["totals"]} == {c: Decimal(t) for c, t in said["totals"].items()}


def test_streaming_leaves_the_processor_to_others(stack):
    import psutil

    simulator = start_outlay("simulate", "--rate", "500", "--json")
    try:
        time.sleep(3)  # past the imports, which cost more than the stream
        process = psutil.Process(simulator.pid)
        before = process.cpu_times()
        time.sleep(3)
        after = process.cpu_times()
    finally:
        simulator.terminate()
        simulator.communicate(timeout=60)
    used = after.user + after.system - before.user - before.system
    assert used < 1.5, f"{used:.2f} s of processor in 3 s"


@pytest.mark.timeout(900)
def test_reconciliation_holds_while_the_simulator_streams(stack):
    simulator = start_outlay("simulate", "--rate", "500", "--json")
    try:
        until(lambda: unlanded() > 500, what="the stream has begun")
        built = outlay_json("build", timeout=600)
        assert simulator.poll() is None, "the stream ended before the build did"
        assert [check["passed"] for check in built["checks"] if check["check"] == "reconciliation"] == [True]
    finally:
        simulator.terminate()
        simulator.communicate(timeout=60)
