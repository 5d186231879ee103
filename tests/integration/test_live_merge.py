"""The projector's merge: the acceptance rule in SQL, current state, and what the database refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from random import Random
from threading import Barrier
from uuid import UUID, uuid4

import psycopg
import pytest

from ingestion import events
from ingestion.acceptance import Sight
from ingestion.projection.errors import Fenced, OffsetsRewound, PartitionsAdded, TopicReplaced
from ingestion.projection.lane import Lane
from ingestion.projection.log import Partition, Topic
from ingestion.projection.records import Record
from ingestion.projection.rows import row
from ingestion.projection.view import View
from tests.integration.databases import fresh_database
from tests.support import until
from tests.vectors.load import Vector, acceptance

pytestmark = [pytest.mark.integration, pytest.mark.small]

TOPICS = {"transaction": Topic("topic-1", 2), "user": Topic("topic-2", 2)}
HERE = Partition("transaction", 0)
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
WORKSPACE, ACCOUNT = UUID(int=1), UUID(int=2)


@pytest.fixture(scope="module")
def dsn(stack) -> Iterator[str]:
    with fresh_database(stack.dsn("owner")) as dsn:
        yield dsn


@pytest.fixture
def connection(dsn) -> Iterator[psycopg.Connection]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "TRUNCATE live.offsets, live.events, live.transactions, live.monthly_totals, live.entities, "
            "live.dead_letters CASCADE"
        )
        yield connection


@pytest.fixture
def view(dsn, connection) -> Iterator[View]:
    with View.opened(dsn, TOPICS) as view:
        yield view


def purchase(**fields) -> dict:
    given = dict(
        workspace_id=WORKSPACE,
        transaction_id=uuid4(),
        account_id=ACCOUNT,
        kind="expense",
        occurred_on=date(2026, 5, 1),
        amount=Decimal("4.50"),
        currency="EUR",
        source="app",
        recorded_at=NOW,
    )
    return events.transaction(**{**given, **fields})


class Write:
    """Writes events to a view as if they stood in a partition of the log one after the other."""

    def __init__(self, view: View, partition: int = 0):
        self.view, self.partition, self.offsets = view, partition, count()

    def __call__(self, *batch: dict, topic: str = "transaction") -> None:
        records = [self.record(topic, event) for event in batch]
        place = Partition(topic, self.partition)
        self.view.write(records, {place: records[-1].offset + 1})

    def record(self, topic: str, event: dict) -> Record:
        place = (topic, TOPICS[topic].topic_id, self.partition, next(self.offsets), NOW)
        return Record(
            *place, key=b"", value=b"original", headers=[("h", b"1")], row=row(*place, event).row, reason=None
        )


def as_event(sight: Sight) -> dict:
    return purchase(event_id=sight.event_id, transaction_id=sight.entity_id, version=sight.version, note=str(sight))


@pytest.mark.parametrize("vector", acceptance(), ids=lambda vector: vector.name)
def test_the_merge_decides_as_the_vectors_say_wherever_the_log_is_cut(vector: Vector, connection, view):
    splits = list(vector.splits())
    chosen = splits if len(splits) <= 8 else [splits[0], splits[-1], *splits[1:-1:17]]
    write = Write(view)
    for number, batches in enumerate(chosen):
        workspace = uuid4()  # each cut is a world of its own
        for batch in batches:
            write(*({**as_event(sight), "workspace_id": workspace} for sight in batch))
        decided = connection.execute(
            'SELECT decision FROM live.events WHERE workspace_id = %s ORDER BY "offset"', (workspace,)
        ).fetchall()
        assert tuple(decision for (decision,) in decided) == vector.decisions, [len(batch) for batch in batches]
        assert current(connection, workspace) == expected(vector), number


def current(connection, workspace: UUID) -> dict[UUID, tuple[int, str]]:
    """The state that live shows: version and note of each thing."""
    rows = connection.execute(
        "SELECT transaction_id, version, note FROM live.transactions WHERE workspace_id = %s", (workspace,)
    )
    return {thing: (version, note) for thing, version, note in rows}


def expected(vector: Vector) -> dict[UUID, tuple[int, str]]:
    accepted = [e for e, decision in zip(vector.events, vector.decisions, strict=True) if decision == "accepted"]
    return {sight.entity_id: (sight.version, str(sight)) for sight in accepted}


def test_every_field_of_a_transaction_arrives(connection, view):
    line = events.line(Decimal("4.5"), line_id=uuid4(), category_id="food.coffee", note="flat white")
    event = purchase(
        occurred_at_local=datetime(2026, 5, 1, 9, 30),  # noqa: DTZ001
        posted_on=date(2026, 5, 3),
        merchant="Joe's",
        description="JOE'S  \\ \t \n ☕",
        category_id="food.coffee",
        category_source="model",
        category_confidence=0.75,
        mcc="5814",
        tags=["a, b", '"{}'],
        lines=[line],
        attachments=[{"attachment_id": uuid4(), "sha256": "0", "media_type": "image/png", "name": None}],
        refund_of=uuid4(),
    )
    Write(view)(event)
    cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
    row = cursor.execute("SELECT * FROM live.transactions").fetchone()
    same = [name for name in event if name in row and name != "attachments"]
    assert {name: row[name] for name in same} == {name: event[name] for name in same}
    assert len(same) == 30
    assert row["attachments"] == [
        {**event["attachments"][0], "attachment_id": str(event["attachments"][0]["attachment_id"])}
    ]
    lines = cursor.execute("SELECT line_no, line_id, category_id, amount, note FROM live.transaction_lines").fetchall()
    assert lines == [{"line_no": 1, **line}]
    stored = cursor.execute("SELECT state, logged_at, topic, topic_id FROM live.events").fetchone()
    assert stored["state"]["amount"] == "4.50"
    assert stored["state"]["occurred_on"] == "2026-05-01"
    assert stored["state"]["lines"][0]["amount"] == "4.5"
    assert (stored["logged_at"], stored["topic"], stored["topic_id"]) == (NOW, "transaction", "topic-1")


def test_lines_follow_the_current_version(connection, view):
    write, thing = Write(view), uuid4()
    three = [events.line(Decimal(1), line_id=uuid4()) for _ in range(3)]
    write(purchase(transaction_id=thing, amount=Decimal(3), lines=three))
    write(purchase(transaction_id=thing, amount=Decimal(2), lines=three[1:], version=2))
    write(purchase(transaction_id=thing, amount=Decimal(1), lines=three[:1], version=2))  # stale
    rows = connection.execute("SELECT line_no, line_id FROM live.transaction_lines ORDER BY line_no").fetchall()
    assert rows == [(1, three[1]["line_id"]), (2, three[2]["line_id"])]


TOTALS = (
    "SELECT workspace_id, month, account_id, category_id, currency, kind, lines, amount FROM live.monthly_totals "
    "WHERE lines <> 0 OR amount <> 0 ORDER BY 1, 2, 3, 4, 5, 6"
)


def counted(states: dict[tuple[UUID, UUID], dict]) -> list[tuple]:
    """What the current states come to, each part added up in Python."""
    cells: dict[tuple, list] = {}
    for event in states.values():
        if event["operation"] == "voided":
            continue
        parts = event["lines"] or [{"category_id": event["category_id"], "amount": event["amount"]}]
        for part in parts:
            where = (event["account_id"], part["category_id"] or "uncategorised", event["currency"], event["kind"])
            cell = cells.setdefault((event["workspace_id"], event["occurred_on"].replace(day=1), *where), [0, 0])
            cell[0] += 1
            cell[1] += part["amount"]
    return sorted((*where, *cell) for where, cell in cells.items())


@pytest.mark.parametrize("seed", range(4))
def test_totals_are_what_the_current_transactions_come_to_after_every_batch(seed, connection, view):
    chance, write = Random(seed), Write(view)  # noqa: S311
    states: dict[tuple[UUID, UUID], dict] = {}

    def some_state(**fields) -> dict:
        kind, amount = chance.choice([("expense", "4.50"), ("refund", "-3.10"), ("income", "-900"), ("transfer", "20")])
        half = Decimal(amount) / 2
        split = [events.line(half, line_id=uuid4(), category_id=c) for c in ("food.coffee", None)]
        return purchase(
            kind=kind,
            amount=Decimal(amount),
            currency=chance.choice(["EUR", "CAD"]),
            occurred_on=date(2026, chance.randint(1, 3), chance.choice([1, 15, 28])),
            account_id=UUID(int=chance.randint(10, 11)),
            category_id=chance.choice(["food.groceries", "travel", None]),
            lines=split if chance.random() < 0.3 else [],
            **fields,
        )

    for _ in range(25):
        batch = []
        for _ in range(chance.randint(1, 12)):
            known = list(states)
            if not known or chance.random() < 0.4:
                event = some_state(workspace_id=UUID(int=chance.randint(1, 2)))
            else:
                before = states[chance.choice(known)]
                ids = {name: before[name] for name in ("workspace_id", "transaction_id")}
                event = some_state(
                    **ids, version=before["version"] + 1, operation=chance.choice(["amended", "voided", "restored"])
                )
            states[event["workspace_id"], event["transaction_id"]] = event
            batch.append(event)
            if chance.random() < 0.3:
                batch.append(event)  # a duplicate
            if chance.random() < 0.2:
                batch.append({**event, "event_id": uuid4(), "amount": event["amount"] * 2, "lines": []})  # stale
        write(*batch)
        assert connection.execute(TOTALS).fetchall() == counted(states)


def test_a_total_may_need_more_digits_than_its_parts(connection, view):
    largest = Decimal("99999999999999.9999")
    Write(view)(*(purchase(amount=largest) for _ in range(20)))
    assert connection.execute("SELECT lines, amount FROM live.monthly_totals").fetchall() == [(20, 20 * largest)]


def test_entities_keep_their_latest_state_and_one_id_may_name_two_things(connection, view):
    write, same = Write(view), uuid4()
    account = {"name": "Visa", "type": "card", "currency": "EUR", "institution": None, "owner_id": None}
    given = {"entity_id": same, "workspace_id": WORKSPACE, "source": "app", "event_id": uuid4()}
    write(
        events.entity(entity="account", state=account, **given),
        events.entity(entity="workspace", state={"name": "Home", "currency": "EUR", "time_zone": None}, **given),
        events.entity(entity="account", state={**account, "name": "Amex"}, **{**given, "event_id": uuid4()}, version=2),
        topic="user",
    )
    rows = connection.execute(
        "SELECT entity, version, state -> entity ->> 'name' FROM live.entities ORDER BY entity"
    ).fetchall()
    assert rows == [("account", 2, "Amex"), ("workspace", 1, "Home")]


def test_one_event_that_the_database_refuses_becomes_a_dead_letter_and_all_others_are_kept(connection, view):
    write = Write(view)
    records = [write.record("transaction", purchase(note=f"{number:06}")) for number in range(20)]
    records[13] = records[13]._replace(row=records[13].row.replace(b"000013", rb"\u0000"))
    view.write(records, {HERE: 20})
    kept = {int(note) for (note,) in connection.execute("SELECT note FROM live.transactions")}
    assert kept == set(range(20)) - {13}
    letters = connection.execute('SELECT "offset", value, headers, reason FROM live.dead_letters').fetchall()
    assert [(offset, value, headers) for offset, value, headers, _ in letters] == [(13, b"original", [["h", "MQ=="]])]
    assert letters[0][3] == "PostgreSQL refused it: unsupported Unicode escape sequence"
    assert view.positions[HERE] == 20


def test_a_batch_is_merged_without_those_before_it_which_leave_a_bounded_rest_behind(connection, view):
    write, sizes = Write(view), []
    for number in range(60):
        records = [write.record("transaction", purchase(note=f"{number:06}")) for _ in range(50)]
        if number % 7 == 0:  # what is taken back leaves its rows behind, too
            records[13] = records[13]._replace(row=records[13].row.replace(b"%06d" % number, rb"\u0000"))
        view.write(records, {HERE: records[-1].offset + 1})
        sizes.append(_of_own_tables(connection))
    written = 60 * 50 - 9
    assert connection.execute("SELECT count(*), count(DISTINCT event_id) FROM live.events").fetchone() == (written,) * 2
    assert connection.execute("SELECT sum(lines), sum(amount) FROM live.monthly_totals").fetchone() == (
        written,
        written * Decimal("4.50"),
    )
    assert max(sizes[30:]) <= 1.2 * max(sizes[:30]), "they grow with what has been written"


def _of_own_tables(connection) -> int:
    """Bytes of the temporary tables of all sessions of this database."""
    asked = "SELECT sum(pg_relation_size(oid))::bigint FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'"
    return connection.execute(asked).fetchone()[0]


def test_a_second_projector_is_fenced_and_writes_nothing(connection, dsn, view):
    with View.opened(dsn, TOPICS) as late:
        Write(view)(purchase())
        with pytest.raises(Fenced, match="only one may run"):
            Write(late)(purchase(), purchase())
    assert connection.execute("SELECT count(*) FROM live.transactions").fetchone() == (1,)


def test_that_a_projector_was_fenced_is_known_when_it_is_gone(dsn, view):
    for _ in range(2):
        with View.opened(dsn, TOPICS) as late:
            view.write([], {HERE: view.positions[HERE] + 1})
            with pytest.raises(Fenced):
                late.write([], {HERE: view.positions[HERE] + 1, Partition("user", 0): 1})
    view.ask()
    assert view.fencings == {place: 2 if place == HERE else 0 for place in view.positions}
    assert view.positions[Partition("user", 0)] == 0


class Lanes:
    """Two lanes, each at its own partition of the topics, that are let write at the same moment."""

    def __init__(self, both: list[View]):
        self.writes = [Write(view, partition) for partition, view in enumerate(both)]
        self.conflicts: Counter[str] = Counter()
        self._start = Barrier(2)
        for view in both:
            view._commit = self._watched(view._commit)

    def __call__(self, *batches: list[dict], topic: str) -> None:
        def write(lane: int) -> None:
            self._start.wait(30)
            self.writes[lane](*batches[lane], topic=topic)

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(write, lane) for lane in (0, 1)]:
                done.result()

    def _watched(self, commit: Callable) -> Callable:
        def watched(*given: object) -> object:
            try:
                return commit(*given)
            except psycopg.Error as error:
                self.conflicts[error.diag.constraint_name or type(error).__name__] += 1
                raise

        return watched


@pytest.fixture
def lanes(dsn, connection) -> Iterator[Lanes]:
    with (
        View.opened(dsn, TOPICS, Lane(0, of=2).part) as first,
        View.opened(dsn, TOPICS, Lane(1, of=2).part) as second,
    ):
        assert set(first.positions) == {Partition("transaction", 0), Partition("user", 0)}
        yield Lanes([first, second])


def a_transaction(thing: UUID, version: int) -> dict:
    return purchase(transaction_id=thing, version=version, amount=Decimal(version), note=str(version))


def an_account(thing: UUID, version: int) -> dict:
    state = {"name": str(version), "type": "card", "currency": "EUR", "institution": None, "owner_id": None}
    return events.entity(
        entity="account", state=state, entity_id=thing, workspace_id=WORKSPACE, source="app", version=version
    )


CURRENT = {
    "transaction": "SELECT transaction_id, version FROM live.transactions",
    "user": "SELECT entity_id, version FROM live.entities",
}


@pytest.mark.parametrize(("topic", "made", "constraint"), [
    ("transaction", a_transaction, "transactions_pkey"), ("user", an_account, "entities_pkey")
])  # fmt: skip
def test_two_lanes_that_write_of_one_thing_at_once_decide_as_if_one_had_been_first(
    connection, lanes, topic, made, constraint
):
    """As a wrong key puts them: a thing's events stand in partitions of both."""
    for _ in range(1_000):
        things = [uuid4()]  # a batch of more would be halved, which is another try
        lanes([made(thing, 1) for thing in things], [made(thing, 2) for thing in things], topic=topic)
        lanes([made(thing, 4) for thing in things], [made(thing, 3) for thing in things], topic=topic)
        assert dict(connection.execute(CURRENT[topic]).fetchall()) == dict.fromkeys(things, 4)
        decided = connection.execute(
            "SELECT entity_id, array_agg(version ORDER BY version) FROM live.events "
            "WHERE decision = 'accepted' GROUP BY entity_id"
        ).fetchall()
        assert all(set(versions) >= {2, 4} for _, versions in decided)
        assert connection.execute("SELECT count(*) FROM live.dead_letters").fetchone() == (0,)
        if topic == "transaction":
            assert connection.execute("SELECT sum(lines), sum(amount) FROM live.monthly_totals").fetchone() == (1, 4)
        if lanes.conflicts[constraint]:
            return
        connection.execute("TRUNCATE live.events, live.transactions, live.monthly_totals, live.entities CASCADE")
    raise AssertionError(f"the lanes never met: {lanes.conflicts}")


HELD = 4711
HELD_BACK = f"""
CREATE FUNCTION live.held_back() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock({HELD}); RETURN new; END';
CREATE TRIGGER held_back BEFORE INSERT ON live.events FOR EACH ROW WHEN (new.version = 2)
    EXECUTE FUNCTION live.held_back()
"""
GO_ON = "DROP TRIGGER held_back ON live.events; DROP FUNCTION live.held_back"


@pytest.mark.parametrize(("topic", "made", "constraint"), [
    ("transaction", a_transaction, "transactions_pkey"), ("user", an_account, "entities_pkey")
])  # fmt: skip
def test_a_lane_takes_away_no_version_that_another_wrote_after_its_decision(connection, lanes, topic, made, constraint):
    """The first has decided on version 2, and is held before it writes; the second brings version 3 meanwhile."""
    thing = uuid4()
    first, second = lanes.writes
    first(made(thing, 1), topic=topic)
    connection.execute(HELD_BACK)
    connection.execute("SELECT pg_advisory_lock(%s)", (HELD,))
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(first, made(thing, 2), topic=topic)
        waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted)"
        until(lambda: connection.execute(waits, (HELD,)).fetchone()[0], what="the first lane is held")
        second(made(thing, 3), topic=topic)
        connection.execute("SELECT pg_advisory_unlock(%s)", (HELD,))
        late.result()
    connection.execute(GO_ON)
    assert dict(connection.execute(CURRENT[topic]).fetchall()) == {thing: 3}
    decided = dict(connection.execute("SELECT version, decision FROM live.events").fetchall())
    assert decided == {1: "accepted", 2: "stale", 3: "accepted"}
    assert lanes.conflicts == {constraint: 1}
    assert connection.execute("SELECT count(*) FROM live.dead_letters").fetchone() == (0,)
    if topic == "transaction":
        assert connection.execute("SELECT sum(lines), sum(amount) FROM live.monthly_totals").fetchone() == (1, 3)


def test_an_event_that_two_lanes_bring_at_once_is_accepted_once(connection, lanes):
    """As a producer's retry after a change of its key puts it."""
    for _ in range(1_000):
        batch = [purchase()]
        lanes(batch, batch, topic="transaction")
        decided = dict(connection.execute("SELECT decision, count(*) FROM live.events GROUP BY 1").fetchall())
        assert decided == {"accepted": 1, "duplicate": 1}
        assert connection.execute("SELECT sum(lines), sum(amount) FROM live.monthly_totals").fetchone() == (
            1,
            Decimal("4.50"),
        )
        assert connection.execute("SELECT count(*) FROM live.dead_letters").fetchone() == (0,)
        if lanes.conflicts["events_event"]:
            return
        connection.execute("TRUNCATE live.events, live.transactions, live.monthly_totals, live.entities CASCADE")
    raise AssertionError(f"the lanes never met: {lanes.conflicts}")


def test_a_log_that_is_not_the_one_live_was_built_from_is_refused(dsn, view):
    Write(view)(purchase())
    with (
        pytest.raises(TopicReplaced, match="its id is topic-9, live was built from topic-1"),
        View.opened(dsn, {**TOPICS, "transaction": Topic("topic-9", 2)}),
    ):
        pass
    with (
        pytest.raises(PartitionsAdded, match="has 3 partitions, live was built from 2"),
        View.opened(dsn, {**TOPICS, "transaction": Topic("topic-1", 3)}),
    ):
        pass


def test_offsets_set_back_by_hand_are_told_and_nothing_becomes_a_dead_letter(connection, dsn, view):
    Write(view)(purchase())
    connection.execute("UPDATE live.offsets SET next_offset = 0")
    with View.opened(dsn, TOPICS) as again, pytest.raises(OffsetsRewound):
        Write(again)(purchase())
    assert connection.execute("SELECT count(*) FROM live.dead_letters").fetchone() == (0,)


def test_who_listens_is_told_workspace_and_place_and_no_content(connection, view):
    connection.execute("LISTEN outlay_live")
    Write(view)(purchase(), purchase())
    [notice] = list(connection.notifies(timeout=5, stop_after=1))
    assert notice.payload.replace(" ", "") == (
        f'{{"workspace_id":"{WORKSPACE}","topic":"transaction","partition":0,"offset":1}}'
    )
