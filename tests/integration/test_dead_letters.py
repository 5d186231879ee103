"""Dead letters on the real servers: kept whole, published, looked at, retried once and no more, discarded."""

from __future__ import annotations

import json
import os
import struct
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from io import BytesIO
from types import SimpleNamespace
from uuid import uuid4

import psycopg
import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from fastavro import parse_schema, schemaless_writer
from structlog.testing import capture_logs

from ingestion import events
from ingestion.codec import Codec
from ingestion.contracts import schema
from ingestion.dead_letters import relay as relaying
from ingestion.dead_letters import retry as retrying
from ingestion.dead_letters.letters import Busy, find, locked, open_letters
from ingestion.dead_letters.relay import relay
from ingestion.dead_letters.retry import MEMORY, Retried, Retrier, discard
from ingestion.place import Place
from ingestion.projection import loop
from outlay.settings import Settings
from tests.integration.databases import fresh_database
from tests.integration.projecting import projector
from tests.integration.test_live import purchase, rows
from tests.support import outlay, outlay_json, until

pytestmark = [pytest.mark.integration, pytest.mark.small]

HEADERS = [("from", b"a feed"), ("from", b"twice"), ("empty", b""), ("null", None)]


@pytest.fixture(scope="module", autouse=True)
def early_bird(stack) -> tuple[dict, dict, int, bytes, Place]:
    """An event whose schema the registry does not have yet: (event, schema, the id it will get, bytes, place).

    Sent before all tests, so that the daemon has half forgotten it when its test comes: it remembers for ten seconds.
    """
    registry = SchemaRegistryClient({"url": stack.registry})
    event = purchase(uuid4(), 1999, note="written by a newer program")
    newer = deepcopy(schema("transaction"))
    newer["fields"].append({"name": f"mood_{uuid4().hex}", "type": ["null", "string"], "default": None})
    coming = register(registry, unused_schema()) + 2  # the registry counts its ids up
    value = BytesIO()
    value.write(struct.pack(">bI", 0, coming))
    schemaless_writer(value, parse_schema(newer), event)
    place = send(stack, "transaction", value.getvalue(), key=key_of(event), headers=HEADERS)
    return event, newer, coming, value.getvalue(), place


def unused_schema() -> dict:
    return {"type": "record", "name": f"Unused{uuid4().hex}", "fields": []}


@pytest.fixture
def database(stack) -> Iterator[str]:
    """A second, empty live view of the same log."""
    with fresh_database(stack.dsn("owner")) as dsn:
        yield dsn


@pytest.fixture
def poisoned(stack, database, monkeypatch) -> Iterator[tuple[str, Place, dict]]:
    """A view whose PostgreSQL refuses one event, which is a dead letter there: (database, its place, the event).

    The command line speaks to that view, and nobody projects into it until the test does.
    """
    event = purchase(uuid4(), 450, note=f"poison {uuid4()}")
    refuse(database, event)
    place = send(stack, "transaction", encoded(stack, event), key=str(event["workspace_id"]).encode(), headers=HEADERS)
    with projector(stack, database):
        until(lambda: rows(database, "SELECT FROM live.dead_letters WHERE key = %s", key_of(event)), what="a letter")
    monkeypatch.setenv("OUTLAY_DATABASE_URL", database)
    return database, place, event


def refuse(dsn: str, event: dict) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(f"ALTER TABLE live.transactions ADD CONSTRAINT no_poison CHECK (note <> '{event['note']}')")


def allow(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("ALTER TABLE live.transactions DROP CONSTRAINT no_poison")


def key_of(event: dict) -> bytes:
    return str(event["workspace_id"]).encode()


def encoded(stack: Settings, event: dict, topic: str = "transaction") -> bytes:
    return Codec(stack.registry).encode(topic, event)


def send(stack: Settings, topic: str, value: bytes | None, *, key: bytes | None, headers: list | None = None) -> Place:
    """Append as a careless feed does; returns where it stands."""
    acknowledged = []
    producer = Producer({"bootstrap.servers": stack.bootstrap, "partitioner": "murmur2_random"})
    producer.produce(
        topic, value, key, headers=headers, on_delivery=lambda error, sent: acknowledged.append((error, sent))
    )
    assert producer.flush(30) == 0
    [(error, sent)] = acknowledged
    assert error is None, error
    return Place(topic, sent.partition(), sent.offset())


def everything_in(stack: Settings, topic: str, partition: int = 0) -> list:
    """Every message of a partition, from its start to where it ends now."""
    consumer = Consumer({"bootstrap.servers": stack.bootstrap, "group.id": "test", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, partition, 0)])
    messages = []
    try:
        while True:
            message = consumer.poll(30)
            assert message is not None, f"{topic} does not end"
            if message.error() is None:
                messages.append(message)
            else:
                assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                return messages
    finally:
        consumer.close()


def published(stack: Settings, place: Place, topic_id: str) -> list:
    """What was published of the letter."""
    at = {
        "__connect.errors.partition": str(place.partition).encode(),
        "__connect.errors.offset": str(place.offset).encode(),
        "outlay.topic.id": topic_id.encode(),
    }
    return [m for m in everything_in(stack, f"{place.topic}.dlq") if at.items() <= dict(m.headers() or ()).items()]


def decisions(dsn: str, event: dict) -> list[tuple]:
    """(decision, note) of each time that live read the event, in the order of the log."""
    query = (
        "SELECT decision, state ->> 'note' FROM live.events WHERE workspace_id = %s AND event_id = %s "
        'ORDER BY topic_id, partition, "offset"'
    )
    return rows(dsn, query, event["workspace_id"], event["event_id"])


def held(dsn: str, event: dict) -> list[tuple]:
    query = "SELECT version, note, amount FROM live.transactions WHERE workspace_id = %s AND transaction_id = %s"
    return rows(dsn, query, event["workspace_id"], event["transaction_id"])


@contextmanager
def retrier(stack: Settings, dsn: str) -> Iterator[Retrier]:
    with Retrier.opened(bootstrap=stack.bootstrap, registry_url=stack.registry, dsn=dsn, by="a test") as opened:
        yield opened


@contextmanager
def relayed(bootstrap: str, dsn: str) -> Iterator[threading.Thread]:
    stop = threading.Event()
    thread = threading.Thread(target=relay, kwargs={"bootstrap": bootstrap, "dsn": dsn, "stop": stop})
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive(), "the relay did not stop"


def insert(
    dsn: str, *values: bytes | None, key: bytes | None = b"key", topic: str = "report", reason: str = "a test"
) -> str:
    """Letters of a topic's own, as the projector writes them; returns the topic's id."""
    topic_id = f"test-{uuid4()}"
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO live.dead_letters "
            '(topic, topic_id, partition, "offset", logged_at, key, value, headers, reason) '
            "VALUES (%s, %s, 0, %s, now(), %s, %s, '[]', %s)",
            [(topic, topic_id, offset, key, value, reason) for offset, value in enumerate(values)],
        )
    return topic_id


def waiting(dsn: str) -> int:
    [(count,)] = rows(dsn, "SELECT count(*) FROM live.dead_letters WHERE published_at IS NULL")
    return count


def poison(stack: Settings) -> dict[str, tuple[bytes | None, str]]:
    """Kind to (value, how its reason begins)."""
    good = encoded(stack, purchase(uuid4(), 1, note="a note of"))
    other = encoded(stack, events.report(workspace_id=uuid4(), report_id=uuid4(), name="m", source="app"), "report")
    noise = os.urandom(300)
    return {
        "random bytes": (
            b"\xff" + noise,
            f"expected magic byte 0 and a schema id, got 301 bytes starting ff{noise[:4].hex()}",
        ),
        "another magic byte": (b"\x01" + good[1:], f"expected magic byte 0 and a schema id, got {len(good)} bytes"),
        "an unknown schema id": (b"\x00\x7f\xff\xff\xfe" + good[5:], "its schema id 2147483646 is not in the registry"),
        "truncated": (good[:-3], f"not Avro of schema {struct.unpack('>I', good[1:5])[0]}: "),
        "bytes left over": (good + b"more", "4 bytes are left over after the event"),
        "a null value": (None, "expected an event, got a null value (a tombstone)"),
        "an empty value": (b"", "expected magic byte 0 and a schema id, got 0 bytes starting empty"),
        "a NUL character": (good.replace(b"a note of", b"a no\x00e of"), "note: "),
        "another topic's schema": (
            other,
            "expected outlay.events.TransactionEvent, got outlay.events.ReportEvent by its schema",
        ),
    }


def test_poison_of_every_kind_is_kept_whole_and_published_once(stack):
    owner, sent = stack.dsn("owner"), {}
    for number, (kind, (value, reason)) in enumerate(poison(stack).items()):
        key = None if number % 2 else f"{kind} {uuid4()}".encode()
        sent[send(stack, "transaction", value, key=key, headers=HEADERS)] = (kind, key, value, reason)
    with psycopg.connect(owner, autocommit=True) as connection:
        for place, (kind, key, value, reason) in sent.items():
            letter = until(lambda place=place: found(connection, place), what=f"a letter for {kind}", seconds=30)
            assert (letter.key, letter.value, letter.headers, letter.state) == (key, value, HEADERS, "open"), kind
            assert letter.reason.startswith(reason), kind
            until(lambda place=place: found(connection, place).published_at, what=f"{kind} is published", seconds=30)
            [message] = published(stack, place, letter.topic_id)
            assert (message.key(), message.value()) == (key, value), kind
            assert message.headers()[: len(HEADERS)] == HEADERS, kind
            told = dict(message.headers())
            assert told["__connect.errors.topic"] == b"transaction"
            assert told["__connect.errors.exception.class.name"] == b"ingestion.codec.Unreadable"
            assert told["__connect.errors.exception.message"].decode() == letter.reason
        assert open_letters(connection)["transaction"] >= len(sent)


def found(connection: psycopg.Connection, place: Place):
    try:
        return find(connection, place)
    except LookupError:
        return None


def register(registry: SchemaRegistryClient, avro: dict) -> int:
    """Under a subject that nobody uses: the topic's own contract stays as it is."""
    return registry.register_schema(f"test-{uuid4().hex}-value", Schema(json.dumps(avro), "AVRO"))


def test_what_postgresql_would_refuse_again_is_refused_and_stays_open_until_it_is_fixed(stack, poisoned):
    database, place, event = poisoned
    refused = outlay("dead-letters", "retry", "--all", "--topic", "transaction")
    assert refused.returncode == 1
    assert f"{place}: PostgreSQL refused it: new row for relation" in refused.stderr
    assert refused.stdout.endswith(" refused\n")
    assert outlay_json("dead-letters", "show", str(place))["state"] == "open"
    allow(database)
    with projector(stack, database):
        done = outlay("dead-letters", "retry", str(place))
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{place}: appended again as transaction/{place.partition}@")
        assert done.stdout.splitlines()[0].endswith("; live: accepted")
    assert decisions(database, event) == [("accepted", event["note"])]
    assert len(held(database, event)) == 1


def test_a_discarded_letter_says_why_and_a_retry_takes_it_up_again(stack, poisoned):
    database, place, event = poisoned
    reason = "sent by a load test"
    said = outlay_json("dead-letters", "discard", str(place), "--reason", reason, "--by", "Bea")
    assert said == {"discarded": [str(place)], "discarded_before": [], "refused": []}
    again = outlay_json("dead-letters", "discard", str(place), "--reason", "another", "--by", "Cleo")
    assert again["discarded_before"] == [str(place)]
    shown = outlay_json("dead-letters", "show", str(place))
    assert (shown["state"], shown["discarded"]["by"], shown["discarded"]["reason"]) == ("discarded", "Bea", reason)
    listed = outlay_json("dead-letters", "list", "--state", "discarded")
    assert [letter["place"] for letter in listed["letters"]] == [str(place)]

    allow(database)
    with projector(stack, database), retrier(stack, database) as opened:
        assert opened.fates([opened.retry(place)], patience=20) == ["accepted"]
    assert len(held(database, event)) == 1
    shown = outlay_json("dead-letters", "show", str(place))
    assert (shown["state"], shown["discarded"]["reason"], shown["retried"]["by"]) == ("retried", reason, "a test")
    late = outlay("dead-letters", "discard", str(place), "--reason", "too late")
    assert late.returncode == 1
    assert f"{place}: it was retried and stands at {shown['retried']['place']}" in late.stderr


def test_a_crash_between_append_and_mark_leaves_nothing_to_count_twice(stack, poisoned, monkeypatch):
    """Nobody reads the log meanwhile, so that the second append happens as well."""
    database, place, event = poisoned
    allow(database)
    crash_at_the_mark(stack, database, place, monkeypatch)
    with retrier(stack, database) as opened:
        second = opened.retry(place)
    assert second.outcome == "appended"
    with projector(stack, database):
        until(lambda: len(decisions(database, event)) == 2, what="both are read", seconds=30)
    assert decisions(database, event) == [("accepted", event["note"]), ("duplicate", event["note"])]
    assert len(held(database, event)) == 1


def test_after_a_crash_at_the_mark_the_retry_finds_what_live_has_read_and_appends_nothing(stack, poisoned, monkeypatch):
    database, place, event = poisoned
    allow(database)
    crash_at_the_mark(stack, database, place, monkeypatch)
    with projector(stack, database):
        until(lambda: decisions(database, event), what="the first append is read", seconds=30)
        with retrier(stack, database) as opened:
            second = opened.retry(place)
            assert opened.fates([second]) == ["accepted"]
            third = opened.retry(place)
    assert (second.outcome, third.outcome, third.place) == ("found", "before", second.place)
    assert decisions(database, event) == [("accepted", event["note"])]


def crash_at_the_mark(stack: Settings, database: str, place: Place, monkeypatch) -> None:
    def crash(*_: object, **__: object) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patch, retrier(stack, database) as opened:
        patch.setattr(retrying, "mark_retried", crash)
        with pytest.raises(SystemExit, match="killed"):
            opened.retry(place)
    assert outlay_json("dead-letters", "show", str(place))["state"] == "open"


def test_of_two_people_who_retry_at_once_one_appends_and_the_other_is_told_where(stack, poisoned):
    database, place, event = poisoned
    allow(database)
    together = threading.Barrier(2)

    def retry(_: int) -> Retried:
        with retrier(stack, database) as opened:
            together.wait(30)
            return opened.retry(place)

    with ThreadPoolExecutor(2) as both:
        outcomes = list(both.map(retry, range(2)))
    assert sorted(each.outcome for each in outcomes) == ["appended", "before"]
    assert outcomes[0].place == outcomes[1].place
    with projector(stack, database):
        until(lambda: decisions(database, event), what="it is read", seconds=30)
    assert decisions(database, event) == [("accepted", event["note"])]


def test_who_comes_while_somebody_decides_for_long_is_told_so(stack, poisoned):
    database, place, _ = poisoned
    allow(database)
    with psycopg.connect(database) as somebody, retrier(stack, database) as opened:
        locked(somebody, find(somebody, place))
        with pytest.raises(Busy, match=f"somebody else is retrying or discarding {place} at this moment"):
            opened.retry(place)
        somebody.rollback()
        assert opened.retry(place).outcome == "appended"


def test_a_retry_that_fails_again_is_a_new_letter_that_names_the_old_one(stack, poisoned):
    database, place, event = poisoned
    allow(database)
    with retrier(stack, database) as opened:
        again = opened.retry(place).place
    refuse(database, event)
    with projector(stack, database), psycopg.connect(database, autocommit=True) as connection:
        until(lambda: found(connection, again), what="a second letter", seconds=30)
    old, new = (outlay_json("dead-letters", "show", str(each)) for each in (place, again))
    assert (old["state"], old["live"], old["retried"]["place"]) == ("retried", "dead letter", str(again))
    assert (new["state"], new["retry_of"]) == ("open", str(place))
    assert new["value"] == old["value"] == b64encode(encoded(stack, event)).decode()
    assert f"retry of   {place}" in outlay("dead-letters", "show", str(again)).stdout
    allow(database)
    with projector(stack, database), retrier(stack, database) as opened:
        assert opened.fates([opened.retry(again)], patience=20) == ["accepted"]
        assert opened.retry(place).outcome == "before"
    assert decisions(database, event) == [("accepted", event["note"])]


def test_the_alert_counts_what_cannot_be_read_and_what_postgresql_refuses(stack, database, monkeypatch):
    counts: list[tuple[int, int]] = []
    monkeypatch.setattr(loop, "ShareAlert", lambda: SimpleNamespace(count=lambda *count: counts.append(count)))
    event = purchase(uuid4(), 450, note=f"poison {uuid4()}")
    refuse(database, event)
    send(stack, "transaction", encoded(stack, event), key=key_of(event))
    send(stack, "report", os.urandom(50), key=None)

    def counted() -> bool:
        [(all_, dead, refused)] = rows(
            database,
            "SELECT (SELECT count(*) FROM live.events) + count(*), count(*), "
            "count(*) FILTER (WHERE reason LIKE 'PostgreSQL refused it: %%') FROM live.dead_letters",
        )
        return refused >= 1 and dead >= 2 and [sum(column) for column in zip(*counts, strict=True)] == [all_, dead]

    with projector(stack, database):
        until(counted, what="each message and each letter is counted", seconds=60)


def test_a_letter_nobody_knows_and_servers_that_are_away_are_one_line_each(stack, poisoned, monkeypatch):
    _, place, _ = poisoned
    unknown = outlay("dead-letters", "show", "reminder/0@999999999")
    assert (unknown.returncode, unknown.stderr.count("\n")) == (1, 1)
    assert "no dead letter stands at reminder/0@999999999" in unknown.stderr
    with monkeypatch.context() as patch:
        patch.setenv("OUTLAY_KAFKA_BOOTSTRAP", "127.0.0.1:1")
        away = outlay("dead-letters", "retry", str(place))
    assert (away.returncode, away.stderr.count("\n")) == (1, 1)
    assert "Kafka at 127.0.0.1:1 does not answer" in away.stderr
    assert outlay_json("dead-letters", "show", str(place))["state"] == "open"


def test_what_came_from_the_log_cannot_be_changed_or_deleted_by_the_daemons_role(stack, poisoned):
    database, place, _ = poisoned
    with psycopg.connect(database) as connection:
        for statement in ("UPDATE live.dead_letters SET value = ''", "DELETE FROM live.dead_letters"):
            connection.execute("SET LOCAL ROLE outlay_projector")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
            connection.rollback()
        connection.execute("SET LOCAL ROLE outlay_projector")
        assert discard(connection, place, by="a test", reason="none") is True


def test_while_kafka_is_away_from_the_relay_the_projector_goes_on_and_later_all_is_published(stack, database):
    topic_id = insert(database, b"one", None, b"")
    workspace = uuid4()
    with projector(stack, database):
        with relayed("127.0.0.1:1", database), capture_logs() as told:
            event = purchase(workspace, 1)
            send(stack, "transaction", encoded(stack, event), key=key_of(event))
            until(lambda: held(database, event), what="the projector goes on", seconds=60)
            wait = "dead letters wait to be published"
            until(lambda: any(line["event"] == wait for line in told), what="the outage is told", seconds=30)
        assert rows(database, "SELECT FROM live.dead_letters WHERE topic_id = %s AND published_at IS NULL", topic_id)
    with relayed(stack.bootstrap, database):
        until(lambda: waiting(database) == 0, what="all is published", seconds=60)
    values = [[m.value() for m in published(stack, Place("report", 0, offset), topic_id)] for offset in range(3)]
    assert values == [[b"one"], [None], [b""]]


def test_a_relay_that_dies_before_the_mark_publishes_again_and_two_relays_publish_once(stack, database, monkeypatch):
    topic_id = insert(database, b"one", key=None)

    def crash(*_: object) -> None:
        raise psycopg.OperationalError("the connection is gone")

    with monkeypatch.context() as patch, relayed(stack.bootstrap, database):
        patch.setattr(relaying, "mark_published", crash)
        until(lambda: published(stack, Place("report", 0, 0), topic_id), what="it is appended", seconds=30)
    assert waiting(database) == 1
    before = len(published(stack, Place("report", 0, 0), topic_id))
    with relayed(stack.bootstrap, database), relayed(stack.bootstrap, database):
        until(lambda: waiting(database) == 0, what="it is published again", seconds=30)
        time.sleep(2)  # time for the second relay to publish it as well, if it would
    messages = published(stack, Place("report", 0, 0), topic_id)
    assert len(messages) == before + 1
    assert {(message.key(), message.value()) for message in messages} == {(None, b"one")}


def test_a_letter_that_is_too_large_with_its_headers_is_told_and_holds_up_no_other(stack, database):
    topic_id = insert(database, b"small", os.urandom(2 << 20), b"after it")
    with capture_logs() as told, relayed(stack.bootstrap, database):
        until(lambda: waiting(database) == 1, what="the others are published", seconds=30)
    [problem] = [line for line in told if line["log_level"] == "error"]
    assert problem["place"] == "report/0@1"
    assert "size" in problem["error"].lower()
    assert [m.value() for m in published(stack, Place("report", 0, 2), topic_id)] == [b"after it"]


def test_a_retry_waits_until_no_projector_can_remember_the_schema_as_unknown(stack, database):
    event = purchase(uuid4(), 1)
    value = encoded(stack, event)
    insert(
        database,
        value,
        topic="transaction",
        reason=f"its schema id {Codec('').schema_id(value)} is not in the registry",
    )
    with psycopg.connect(database) as connection:
        connection.execute(
            "UPDATE live.dead_letters SET created_at = clock_timestamp() - make_interval(secs => %s)", (MEMORY - 1.5,)
        )
    waits: list[float] = []
    with retrier(stack, database) as opened:
        assert opened.retry(Place("transaction", 0, 0), waiting=waits.append).outcome == "appended"
    [seconds] = waits
    assert 0 < seconds <= 1.5


def test_a_schema_that_comes_late_is_fixed_by_registering_it_and_the_event_counts_once(stack, early_bird, tmp_path):
    """The whole story at the command line, with the stack's own daemon, which remembers the unknown schema."""
    owner, registry = stack.dsn("owner"), SchemaRegistryClient({"url": stack.registry})
    event, newer, coming, value, place = early_bird
    query = 'SELECT FROM live.dead_letters WHERE topic = %s AND partition = %s AND "offset" = %s'
    until(lambda: rows(owner, query, *place), what="the daemon makes it a dead letter", seconds=30)

    listed = outlay_json("dead-letters", "list", "--topic", "transaction", "--limit", "1000")
    [mine] = [letter for letter in listed["letters"] if letter["place"] == str(place)]
    assert (mine["state"], mine["reason"]) == ("open", f"its schema id {coming} is not in the registry")
    assert listed["open"]["transaction"] >= 1
    shown = outlay("dead-letters", "show", str(place), "--raw", str(tmp_path / "value"))
    assert shown.returncode == 0, shown.stderr
    assert (tmp_path / "value").read_bytes() == value
    assert f"00000000  00 {value[1:5].hex(' ')}" in shown.stdout
    assert "header     from: a feed" in shown.stdout

    early = outlay("dead-letters", "retry", str(place))
    assert early.returncode == 1
    assert early.stderr.strip() == f"{place}: its schema id {coming} is not in the registry"
    assert decisions(owner, event) == []

    register(registry, unused_schema())
    assert register(registry, newer) == coming
    now = outlay_json("dead-letters", "show", str(place))
    assert (now["readable"], now["state"], now["event"]["note"]) == (True, "open", event["note"])

    retried = outlay_json("dead-letters", "retry", str(place), "--by", "Ann")
    [done] = retried["retried"]
    assert (done["place"], done["outcome"], done["live"], retried["refused"]) == (
        str(place),
        "appended",
        "accepted",
        [],
    )
    assert decisions(owner, event) == [("accepted", event["note"])]
    assert [(version, note) for version, note, _ in held(owner, event)] == [(1, event["note"])]

    ends = everything_in(stack, "transaction", place.partition)
    assert ends[-1].value() == value
    assert ends[-1].key() == key_of(event)
    assert ends[-1].headers() == [*HEADERS, ("outlay.retried.from", str(place).encode())]
    again = outlay_json("dead-letters", "retry", str(place))
    assert again["retried"] == [{**done, "outcome": "before"}]
    assert len(everything_in(stack, "transaction", place.partition)) == len(ends)
    after = outlay_json("dead-letters", "show", str(place))
    assert (after["state"], after["retried"]["by"], after["retried"]["place"]) == ("retried", "Ann", done["at"])
    assert after["live"] == "accepted"
