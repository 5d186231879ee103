"""A replay: live built again from bronze and Kafka, compared, and swapped in while others read and write."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition

from ingestion import events
from ingestion.codec import Codec
from ingestion.contracts import TOPICS
from ingestion.landing import CorruptedFile, land
from ingestion.landing.manifest import all_files
from ingestion.producer import EventProducer
from ingestion.replay import Replayed, ReplayError, replay
from ingestion.replay.catalogue import describe
from ingestion.replay.stored import messages
from outlay.ledger.queries import expenses, totals
from outlay.settings import Settings
from tests.integration.databases import fresh_database
from tests.integration.projecting import projector
from tests.landing import append_encoded
from tests.support import PROJECT, until

pytestmark = [pytest.mark.integration, pytest.mark.small, pytest.mark.whole_log, pytest.mark.timeout(300)]

HOME, OTHER, ACCOUNT = uuid4(), uuid4(), uuid4()
TABLES = ("dead_letters", "entities", "events", "monthly_totals", "transaction_lines", "transactions")
NOT_IN_THE_LOG = {"events": "committed_at", "offsets": "updated_at"}


@dataclass
class World:
    """A live view of the log with a projector of its own, and a lake of its own."""

    stack: Settings
    dsn: str
    lake: str
    sent: int = 0

    def replay(self, **options) -> Replayed:
        here = {"bootstrap": self.stack.bootstrap, "registry_url": self.stack.registry, "lake": self.lake}
        return replay(**here, dsn=self.dsn, **options)

    def verb(self, *options: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"OUTLAY_DATABASE_URL": self.dsn, "OUTLAY_LAKE_URL": self.lake}
        command = [sys.executable, "-m", "outlay", "replay", *options]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=PROJECT, env=env)

    def rows(self, query: str, *values) -> list[tuple]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query, values).fetchall()

    def do(self, statement: str, *values) -> int:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(statement, values).rowcount

    @contextmanager
    def app(self, workspace_id: UUID = HOME) -> Iterator[psycopg.Connection]:
        """A session of the app, which row-level security keeps in one workspace."""
        dsn = urlunsplit(urlsplit(self.stack.dsn("operator"))._replace(path=urlsplit(self.dsn).path))
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("SELECT set_config('outlay.workspace_id', %s, false)", (str(workspace_id),))
            yield connection

    def land(self) -> None:
        land(
            bootstrap=self.stack.bootstrap,
            registry_url=self.stack.registry,
            lake=self.lake,
            connect=lambda: psycopg.connect(self.dsn),
            topics=TOPICS,
            max_rows=20,
        )

    def send(self, *given: dict, topic: str = "transaction") -> None:
        with EventProducer(self.stack.bootstrap, Codec(self.stack.registry), client_id="test") as producer:
            for event in given:
                producer.send(topic, event)
            assert producer.flush(60) == 0

    def garbage(self, *values: bytes | None) -> None:
        append_encoded(self.stack, HOME, *values)

    def settled(self, workspace_id: UUID, count: int) -> None:
        """Wait until live has read `count` messages of the workspace, events and dead letters."""
        key = str(workspace_id).encode()
        query = (
            "SELECT (SELECT count(*) FROM live.events WHERE workspace_id = %s)"
            " + (SELECT count(*) FROM live.dead_letters WHERE key = %s)"
        )
        until(lambda: self.rows(query, workspace_id, key) == [(count,)], what=f"live has read {count}", seconds=60)

    def contents(self) -> dict[str, list[tuple]]:
        """All rows of live that count something, without what a clock said."""
        query = (
            "SELECT row FROM (SELECT to_jsonb(t) - %s AS row FROM live.{} AS t) AS rows "
            'WHERE NOT (row @> \'{{"lines": 0, "amount": 0}}\') ORDER BY row::text'
        )
        tables = (*TABLES, "offsets")
        return {table: self.rows(query.format(table), NOT_IN_THE_LOG.get(table, "")) for table in tables}

    def made(self) -> dict:
        """How live is made: tables, views, functions, who may do what with them, and which views they are."""
        with psycopg.connect(self.dsn) as connection:
            connection.execute("SET search_path = ''")
            views = connection.execute(
                "SELECT oid, relname, relacl::text, reloptions, relowner, pg_get_viewdef(oid) FROM pg_class "
                "WHERE relnamespace = 'live'::regnamespace AND relkind = 'v' ORDER BY oid"
            ).fetchall()
            functions = connection.execute(
                "SELECT oid, proacl::text, proowner, pg_get_functiondef(oid) FROM pg_proc "
                "WHERE pronamespace = 'live'::regnamespace ORDER BY oid"
            ).fetchall()
            return {"tables": describe(connection, "live"), "views": views, "functions": functions}

    def schemas(self) -> list[str]:
        found = self.rows("SELECT nspname FROM pg_namespace WHERE nspname ~ '^re(play|placed)' ORDER BY 1")
        return [name for (name,) in found]


def purchase(number: int, workspace_id: UUID = HOME, **changes) -> dict:
    given = dict(
        workspace_id=workspace_id,
        transaction_id=events.derived_id(workspace_id, number),
        account_id=ACCOUNT,
        kind="expense",
        occurred_on=date(2026, 1 + number % 3, 1 + number % 28),
        amount=Decimal(number) / 4,
        currency="EUR",
        source="app",
        description=f"Käse {number} ☕",
        category_id="food.groceries",
    )
    return events.transaction(**{**given, **changes})


def halves(number: int) -> list[dict]:
    return [events.line(Decimal(number) / 8, line_id=uuid4(), category_id=each) for each in ("food.coffee", None)]


def things(workspace_id: UUID) -> list[dict]:
    given = {"workspace_id": workspace_id, "source": "app"}
    home = {"name": "Home", "currency": "EUR", "time_zone": "Europe/Vienna"}
    card = {"name": "Visa", "type": "card", "currency": "EUR", "institution": None, "owner_id": None}
    return [
        events.entity(entity="workspace", entity_id=workspace_id, state=home, **given),
        events.entity(entity="account", entity_id=ACCOUNT, state=card, **given),
        events.entity(entity="account", entity_id=ACCOUNT, state={**card, "name": "Amex"}, version=2, **given),
    ]


def story(workspace_id: UUID) -> list[dict]:
    first = [purchase(n, workspace_id, lines=halves(n) if n % 4 == 0 else []) for n in range(40)]
    amended = [purchase(n, workspace_id, version=2, operation="amended", note="two") for n in range(0, 40, 3)]
    voided = [purchase(n, workspace_id, version=3, operation="voided") for n in range(0, 40, 6)]
    stale = [purchase(n, workspace_id, version=1, note="late") for n in range(0, 40, 5)]
    return [*first, *first[:7], *amended, *voided, *stale]


@pytest.fixture(scope="module")
def world(stack, tmp_path_factory) -> Iterator[World]:
    with fresh_database(stack.dsn("owner")) as dsn:
        here = World(stack, dsn, str(tmp_path_factory.mktemp("lake")))
        with projector(stack, dsn):
            told = story(HOME)
            here.send(*things(HOME), topic="user")
            here.send(*told[:30])
            here.garbage(b"\xff garbage", None, b"")
            here.send(*told[30:60], *story(OTHER))
            here.land()  # the rest is in Kafka alone
            here.send(*told[60:])
            here.garbage(b"\xfe more garbage")
            here.sent = len(told) + 3 + 4
            here.settled(HOME, here.sent)
            here.settled(OTHER, len(told))
            yield here


def test_a_replay_of_every_kind_of_event_is_equal_and_takes_the_place_of_live(world):
    before, numbers = world.contents(), oids(world)
    done = world.replay()
    assert (done.equal, done.swapped, done.replaced) == (True, True, None)
    assert [(table.table, table.keys) for table in done.tables] == [(name, []) for name in TABLES]
    assert done.from_bronze > 80
    assert done.from_kafka >= len(story(HOME)) - 60 + 1
    assert done.events == sum(table.live.rows for table in done.tables if table.table in ("events", "dead_letters"))
    assert world.contents() == before
    assert {decision for (decision,) in world.rows("SELECT decision FROM live.events")} == {
        "accepted",
        "duplicate",
        "stale",
    }
    after = oids(world)
    assert after.keys() == numbers.keys()
    assert not set(after.values()) & set(numbers.values())
    assert world.schemas() == []


def oids(world: World) -> dict[str, int]:
    return dict(
        world.rows(
            "SELECT relname, oid FROM pg_class WHERE relnamespace = 'live'::regnamespace AND relkind IN ('r', 'i')"
        )
    )


def test_a_field_that_a_contract_got_later_is_no_difference(world):
    held = "SELECT entity_id FROM live.entities WHERE state -> 'account' ? 'institution'"
    assert (before := world.rows(held))
    world.do("UPDATE live.entities SET state = state #- '{account,institution}'")  # as if stored before there was one
    assert world.rows(held) == []
    assert world.replay().equal
    assert world.rows(held) == before


def test_the_projector_goes_on_with_its_session_and_a_replay_after_a_replay_is_as_good(world):
    def sessions() -> list[tuple]:
        return world.rows(
            "SELECT pid, backend_start FROM pg_stat_activity "
            "WHERE application_name = 'outlay-live' AND datname = current_database()"
        )

    before = sessions()
    for _ in range(2):
        assert world.replay().swapped
        world.send(purchase(1000 + world.sent))
        world.sent += 1
        world.settled(HOME, world.sent)
    assert sessions() == before
    assert len(before) == 2  # one of each lane
    assert world.replay(dry_run=True).equal


def test_what_live_is_made_of_and_who_may_do_what_is_the_same_after_the_swap(world):
    before = world.made()
    assert world.replay().swapped
    assert world.made() == before
    assert ("events", "index events_event") in before["tables"]
    assert ("dead_letters", "grant on discard_reason to outlay_projector") in before["tables"]
    assert "fillfactor=50" in before["tables"]["monthly_totals", "table"]
    assert "row security t, forced t" in before["tables"]["events", "table"]
    assert "live.admitted_workspace()" in before["tables"]["events", "policy own_workspace"]


def test_who_reads_meanwhile_sees_all_of_their_own_and_nothing_else(world):
    def seen(connection: psycopg.Connection) -> tuple:
        page = expenses.page(connection, expenses.Filter(), size=500)
        of_months = totals.by_month(connection, date(2026, 1, 1), date(2026, 12, 1), by=["category", "account"])
        names = connection.execute("SELECT account_id, name FROM live.accounts ORDER BY 1").fetchall()
        parts = connection.execute("SELECT count(*), sum(amount) FROM live.current_parts").fetchall()
        return [each.transaction_id for each in page.expenses], of_months, names, parts

    stop, wrong, reads = threading.Event(), [], []

    def read(workspace_id: UUID) -> None:
        try:
            with world.app(workspace_id) as connection:
                expected = seen(connection)
                while not stop.is_set():
                    found = seen(connection)
                    reads.append(workspace_id)
                    if found != expected:
                        wrong.append((workspace_id, found))
                        return
                    time.sleep(0.002)
        except psycopg.Error as error:
            wrong.append((workspace_id, error))

    with world.app() as connection:
        mine, _, names, _ = seen(connection)
    assert len(mine) >= 33
    assert names == [(ACCOUNT, "Amex")]
    readers = [threading.Thread(target=read, args=(workspace,)) for workspace in (HOME, OTHER)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(3):
            assert world.replay().swapped
    finally:
        stop.set()
        for reader in readers:
            reader.join(30)
    assert wrong == []
    assert min(reads.count(HOME), reads.count(OTHER)) > 20


def test_events_that_come_during_a_replay_are_all_there_after_it(world):
    stop, sent = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            sent.append(purchase(2000 + len(sent)))
            world.send(sent[-1])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        done = [world.replay() for _ in range(3)]
    finally:
        stop.set()
        writer.join(30)
    world.sent += len(sent)
    world.settled(HOME, world.sent)
    assert all(each.swapped and each.equal for each in done)
    assert len(sent) > 5
    known = {transaction for (transaction,) in world.rows("SELECT transaction_id FROM live.transactions")}
    assert {event["transaction_id"] for event in sent} <= known
    assert world.replay(dry_run=True).equal


def test_what_was_corrupted_is_named_and_repaired_only_when_the_difference_is_accepted(world):
    before = world.contents()
    changed, lost = (events.derived_id(HOME, number) for number in (1, 11))
    world.do("UPDATE live.transactions SET amount = 99 WHERE transaction_id = %s", changed)
    [(offset,)] = world.rows('DELETE FROM live.events WHERE entity_id = %s AND version = 1 RETURNING "offset"', lost)
    world.do(
        "UPDATE live.monthly_totals SET amount = amount + 1 WHERE workspace_id = %s AND category_id = 'food.coffee' "
        "AND month = '2026-02-01'",
        HOME,
    )
    corrupted = world.contents()

    refused = world.verb("--json")
    said = json.loads(refused.stdout)
    assert (refused.returncode, said["equal"], said["swapped"]) == (1, False, False)
    tables = {table["table"]: table for table in said["tables"]}
    assert {name for name, table in tables.items() if not table["equal"]} == {
        "transactions",
        "events",
        "monthly_totals",
    }
    [row] = tables["transactions"]["keys"]
    assert row == {
        "key": {"workspace_id": str(HOME), "transaction_id": str(changed)},
        "difference": "different",
    }
    [row] = tables["events"]["keys"]
    assert (row["difference"], row["key"]["offset"]) == ("replay only", str(offset))
    assert tables["events"]["replay"]["rows"] - tables["events"]["live"]["rows"] == 1
    [row] = tables["monthly_totals"]["keys"]
    assert (row["difference"], row["key"]["month"], row["key"]["category_id"]) == (
        "different",
        "2026-02-01",
        "food.coffee",
    )
    assert world.contents() == corrupted
    assert world.schemas() == []

    assert "live only: " not in world.verb("--dry-run").stdout
    assert world.contents() == corrupted
    accepted = world.verb("--accept-differences")
    assert accepted.returncode == 0, accepted.stderr
    assert "the differences were accepted" in accepted.stdout
    assert world.contents() == before


def test_a_row_that_the_log_knows_nothing_of_is_named_as_such(world):
    before = world.contents()
    world.do(
        "INSERT INTO live.entities SELECT workspace_id, entity, %s, version, operation, state, event_id, actor_id, "
        'recorded_at, topic_id, partition, "offset" FROM live.entities '
        "WHERE entity = 'workspace' AND workspace_id = %s",
        UUID(int=7),
        HOME,
    )
    done = world.replay(accept_differences=True)
    [key] = next(table.keys for table in done.tables if not table.equal)
    assert (key.difference, key.key["entity_id"]) == ("live only", str(UUID(int=7)))
    assert world.contents() == before


POINTS = {
    "while it reads": ("loader.Loader", "_write"),
    "before it compares": ("checksums", "compare"),
    "before the swap commits": ("swap", "_about_to_commit"),
    "before the old tables are dropped": ("swap", "drop_replaced"),
}


@pytest.mark.parametrize("point", POINTS)
def test_a_replay_killed_at_this_point_leaves_live_whole_and_the_next_completes(world, point):
    before, made = world.contents(), world.made()
    where, name = POINTS[point]
    module = where.partition(".")[0]
    program = (
        "import os, signal, sys\n"
        f"from ingestion.replay import {module}, replay\n"
        f"{where}.{name} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "replay(bootstrap=sys.argv[1], registry_url=sys.argv[2], lake=sys.argv[3], dsn=sys.argv[4])\n"
    )
    here = (world.stack.bootstrap, world.stack.registry, world.lake, world.dsn)
    killed = subprocess.run([sys.executable, "-c", program, *here], cwd=PROJECT, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert world.schemas() == (["replaced"] if point == "before the old tables are dropped" else ["replay"])
    assert world.contents() == before
    assert world.made() == made
    assert world.replay().swapped
    assert world.contents() == before
    assert world.schemas() == []


def test_what_people_decided_on_letters_and_when_they_were_found_is_kept(world):
    letters = world.rows("SELECT topic_id, partition, \"offset\" FROM live.dead_letters WHERE key = %s ORDER BY 3", str(HOME).encode())  # fmt: skip # noqa: E501
    world.do(
        "UPDATE live.dead_letters SET discarded_at = now(), discarded_by = 'Ann', discard_reason = 'a test' "
        'WHERE (topic_id, partition, "offset") = (%s, %s, %s)',
        *letters[0],
    )
    world.do(
        "UPDATE live.dead_letters SET published_at = now(), retried_at = now(), retried_by = 'Bob', "
        "retried_topic_id = 'x', retried_partition = 1, retried_offset = 2 "
        'WHERE (topic_id, partition, "offset") = (%s, %s, %s)',
        *letters[1],
    )
    before = world.rows('SELECT * FROM live.dead_letters ORDER BY topic_id, partition, "offset"')
    assert {"Ann", "Bob"} <= {value for row in before for value in row if isinstance(value, str)}
    assert world.replay().swapped
    assert world.rows('SELECT * FROM live.dead_letters ORDER BY topic_id, partition, "offset"') == before


def test_a_letter_that_can_be_read_now_is_an_event_unless_somebody_has_decided_on_it(world):
    [(topic_id, partition, offset)] = world.rows(
        "SELECT topic_id, partition, \"offset\" FROM live.events WHERE entity_id = %s AND version = 1 AND decision = 'accepted'",  # noqa: E501
        events.derived_id(HOME, 11),
    )
    before = world.contents()
    place = (topic_id, partition, offset)
    world.do(
        'DELETE FROM live.events WHERE (topic_id, partition, "offset") = (%s, %s, %s)',
        *place,
    )
    world.do(
        'INSERT INTO live.dead_letters (topic, topic_id, partition, "offset", logged_at, headers, reason) '
        "VALUES ('transaction', %s, %s, %s, now(), '[]', 'its schema id 9 is not in the registry')",
        *place,
    )
    done = world.replay()
    assert (done.equal, done.swapped, done.letters_now_events) == (False, False, 1)
    differ = {table.table: [key.difference for key in table.keys] for table in done.tables if not table.equal}
    assert differ == {"dead_letters": ["live only"], "events": ["replay only"]}
    world.do(
        "UPDATE live.dead_letters SET discarded_at = now(), discarded_by = 'Ann', discard_reason = 'a test' "
        'WHERE (topic_id, partition, "offset") = (%s, %s, %s)',
        *place,
    )
    decided = world.replay(dry_run=True)
    assert decided.letters_now_events == 0
    assert "events" not in {table.table for table in decided.tables if not table.equal}
    world.do('DELETE FROM live.dead_letters WHERE (topic_id, partition, "offset") = (%s, %s, %s)', *place)
    assert world.replay(accept_differences=True).swapped
    assert world.contents() == before


def test_a_long_reader_delays_the_swap_and_nobody_waits_behind_it(world):
    with world.app() as long:
        long.execute("BEGIN")
        long.execute("SELECT count(*) FROM live.transactions")
        outcome: list[Replayed] = []
        running = threading.Thread(target=lambda: outcome.append(world.replay()))
        running.start()
        slowest, until_ = 0.0, time.monotonic() + 4
        with world.app() as other:
            while time.monotonic() < until_:
                began = time.monotonic()
                other.execute("SELECT count(*) FROM live.transactions").fetchall()
                slowest = max(slowest, time.monotonic() - began)
        assert outcome == []
        long.execute("ROLLBACK")
        running.join(60)
    assert outcome[0].swapped
    assert slowest < 2  # half a second for each lock that is tried, and then everybody goes on


def test_a_vacuum_of_the_new_tables_delays_the_swap_and_no_automatic_one_begins_before(world):
    options: list[tuple] = []
    with psycopg.connect(world.dsn) as vacuum:

        def holding(stage: str, done: int, total: int) -> None:
            if stage == "swapping":
                options.extend(world.rows("SELECT reloptions FROM pg_class WHERE oid = 'replay.events'::regclass"))
                vacuum.execute("LOCK TABLE replay.events IN SHARE UPDATE EXCLUSIVE MODE")  # as a vacuum does
                threading.Timer(2, vacuum.rollback).start()

        assert world.replay(on_progress=holding).swapped
    assert options == [(["autovacuum_enabled=off"],)]
    assert world.rows("SELECT reloptions FROM pg_class WHERE oid = 'live.events'::regclass") == [(None,)]


def test_a_transaction_with_an_older_snapshot_reads_the_whole_view(world):
    with world.app() as old:
        count = old.execute("SELECT count(*) FROM live.transactions").fetchone()
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT 1")  # its snapshot is from before the new tables were filled
        outcome: list[Replayed] = []
        running = threading.Thread(target=lambda: outcome.append(world.replay()))
        running.start()
        time.sleep(3)
        assert old.execute("SELECT count(*) FROM live.transactions").fetchone() == count
        old.execute("COMMIT")
        running.join(60)
    assert outcome[0].swapped


def test_a_second_replay_at_the_same_time_is_refused(world):
    with psycopg.connect(world.dsn, autocommit=True) as first:
        first.execute("SELECT pg_advisory_lock(%s)", (0x7265706C6179,))
        done = world.verb()
    assert done.returncode == 1
    assert done.stderr.strip() == "outlay: another replay is running: wait for its end"


def test_the_old_tables_are_kept_on_demand_and_hold_what_live_held(world):
    count = world.rows("SELECT count(*) FROM live.events")
    done = world.replay(keep=True)
    try:
        assert world.schemas() == [done.replaced]
        assert done.replaced.startswith("replaced_")
        assert world.rows(f"SELECT count(*) FROM {done.replaced}.events") == count  # noqa: S608
        assert world.replay().swapped
        assert world.schemas() == [done.replaced]
    finally:
        world.do(f"DROP SCHEMA {done.replaced} CASCADE")


def test_what_holds_live_and_cannot_follow_is_named_and_nothing_is_swapped(world):
    before = oids(world)
    world.do("CREATE MATERIALIZED VIEW public.stuck AS SELECT count(*) FROM live.events")
    with pytest.raises(ReplayError, match=r"public\.stuck"):
        world.replay()
    world.do("DROP MATERIALIZED VIEW public.stuck")
    world.do("CREATE FUNCTION public.holds(live.entities) RETURNS int LANGUAGE sql RETURN 1")
    try:
        with pytest.raises(ReplayError, match=r"function holds\(live\.entities\) depends on"):
            world.replay()
    finally:
        world.do("DROP FUNCTION public.holds(live.entities)")
    assert oids(world) == before
    assert world.schemas() == []


def test_views_and_functions_of_others_follow_with_their_numbers_and_rights(world):
    world.do(
        "CREATE VIEW public.largest WITH (security_barrier = true) AS "
        "SELECT max(amount) AS amount FROM live.transactions WHERE amount < 10000000;"
        "CREATE VIEW public.of_it AS SELECT amount * 2 AS twice FROM public.largest;"
        "GRANT SELECT ON public.largest TO outlay_app;"
        "CREATE FUNCTION public.counted() RETURNS bigint LANGUAGE sql "
        "BEGIN ATOMIC SELECT count(*) FROM live.events; END"
    )
    made = "SELECT oid, relacl::text, reloptions FROM pg_class WHERE relname IN ('largest', 'of_it') ORDER BY 1"
    try:
        before = world.rows(made)
        assert world.replay().swapped
        assert world.rows(made) == before
        world.send(purchase(3000, amount=Decimal(8_888_888)))
        world.sent += 1
        world.settled(HOME, world.sent)
        assert world.rows("SELECT twice FROM public.of_it") == [(Decimal(17_777_776),)]
        assert world.rows("SELECT public.counted()") == world.rows("SELECT count(*) FROM live.events")
    finally:
        world.do("DROP FUNCTION public.counted(); DROP VIEW public.of_it, public.largest")


def test_a_table_that_was_changed_by_hand_keeps_its_change(world):
    world.do("CREATE INDEX by_hand ON live.transactions (merchant) WHERE merchant IS NOT NULL")
    world.do("COMMENT ON TABLE live.transactions IS 'seen'")
    before = world.made()
    assert world.replay().swapped
    assert world.made() == before
    assert ("transactions", "index by_hand") in before["tables"]
    world.do("DROP INDEX live.by_hand")
    world.do("COMMENT ON TABLE live.transactions IS NULL")


def test_how_often_projectors_were_fenced_is_kept_for_it_is_not_in_the_log(world):
    fencings = "SELECT topic, partition, fencings FROM live.offsets ORDER BY 1, 2"
    world.do("UPDATE live.offsets SET fencings = partition WHERE topic = 'transaction'")
    before = world.rows(fencings)
    assert sum(count for *_, count in before) == 66
    assert world.replay().swapped
    assert world.rows(fencings) == before
    world.do("UPDATE live.offsets SET fencings = 0")


def test_what_the_database_refuses_is_a_letter_again_and_its_partition_is_as_whole_as_the_others(world):
    nobody = str(uuid4())
    world.do(f"ALTER TABLE live.transactions ADD CONSTRAINT known CHECK (merchant <> '{nobody}')")
    try:
        world.send(purchase(3001), purchase(3002, merchant=nobody), purchase(3003))
        world.sent += 3
        world.settled(HOME, world.sent)
        refused = "SELECT count(*) FROM live.dead_letters WHERE reason LIKE 'PostgreSQL refused it%%'"
        assert world.rows(refused) == [(1,)]
        before = world.contents()
        done = world.replay()
        assert (done.equal, done.swapped) == (True, True)
        assert world.contents() == before
    finally:
        world.do("ALTER TABLE live.transactions DROP CONSTRAINT known")
    done = world.replay(accept_differences=True)
    assert (done.letters_now_events, world.rows(refused)) == (1, [(0,)])


def test_a_damaged_file_is_named_and_live_stays_as_it_was(world):
    with psycopg.connect(world.dsn) as connection:
        file = all_files(connection, ["transaction"])[0]
    path, before = Path(world.lake) / file.path, world.contents()
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        with pytest.raises(CorruptedFile, match=file.path.replace("+", r"\+")):
            world.replay()
        done = world.verb()
        assert done.returncode == 1
        assert file.path in done.stderr
        assert len(done.stderr.splitlines()) == 1
    finally:
        path.write_bytes(content)
    assert world.contents() == before
    assert world.schemas() == []


def test_what_no_file_holds_is_read_from_kafka(world):
    with psycopg.connect(world.dsn) as connection:
        mine = [file for file in all_files(connection, ["transaction"]) if file.kind == "events"]
    file = mine[len(mine) // 2]
    columns = "topic, topic_id, partition, first_offset, last_offset, kind, schema_id, ingest_date, path, rows, bytes, sha256, created_at"  # noqa: E501
    world.do(f"CREATE TABLE public.taken AS SELECT {columns} FROM bronze.files WHERE path = %s", file.path)  # noqa: S608
    world.do("DELETE FROM bronze.files WHERE path = %s", file.path)
    try:
        whole = world.replay(dry_run=True)
        assert whole.equal
        assert whole.from_kafka >= file.rows
    finally:
        world.do(f"INSERT INTO bronze.files ({columns}) SELECT {columns} FROM public.taken; DROP TABLE public.taken")  # noqa: S608


def test_bronze_gives_the_messages_that_kafka_gave_byte_by_byte(world):
    stored = {}
    with psycopg.connect(world.dsn) as connection:
        for file in all_files(connection, ["transaction"]):
            stored |= {(m.partition(), m.offset()): told(m) for m in messages(world.lake, file)}
    consumer = Consumer({"bootstrap.servers": world.stack.bootstrap, "group.id": "test", "enable.partition.eof": True})
    compared = 0
    for partition in {partition for partition, _ in stored}:
        consumer.assign([TopicPartition("transaction", partition, 0)])
        while (message := consumer.poll(20)).error() is None:
            place = (partition, message.offset())
            if place in stored:
                assert stored[place] == told(message)
                compared += 1
    consumer.close()
    assert compared == len(stored) > 80
    assert {None, b"", b"\xff garbage"} <= {value for _, value, _, _ in stored.values()}


def told(message) -> tuple:
    return message.key(), message.value(), message.headers() or [], message.timestamp()


def test_a_replay_before_live_has_run_says_so(stack, tmp_path):
    with fresh_database(stack.dsn("owner")) as dsn:
        here = World(stack, dsn, str(tmp_path))
        with pytest.raises(ReplayError, match=r"live\.offsets is empty"):
            here.replay()
        assert here.schemas() == []
