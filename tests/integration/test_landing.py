"""From Kafka to bronze on the real servers: everything lands once, whatever it is and whatever breaks meanwhile."""

import os
import sys
from collections.abc import Iterable
from operator import itemgetter
from uuid import UUID

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from ingestion import events
from ingestion.codec import RegistryUnavailable
from ingestion.contracts import TOPICS
from ingestion.landing import BronzeFile, Fenced, LakeUnavailable, OffsetsGone, manifest, read_file, store
from outlay.db import session
from outlay.settings import Settings
from tests.landing import append, append_encoded, encoded, land_all, landed_files, purchase, rows_of, waiting
from tests.support import until

pytestmark = [pytest.mark.integration, pytest.mark.small, pytest.mark.timeout(300)]


def _groups(files: list[BronzeFile]) -> list[list[BronzeFile]]:
    """Files whose offsets lie between each other, together."""
    groups: list[list[BronzeFile]] = []
    for file in sorted(files, key=lambda file: file.first_offset):
        if groups and file.first_offset <= max(each.last_offset for each in groups[-1]):
            groups[-1].append(file)
        else:
            groups.append([file])
    return groups


@pytest.fixture
def caught_up(stack) -> Settings:
    """The stack, with nothing left to land."""
    land_all(stack)
    assert sum(waiting(stack).values()) == 0
    return stack


def test_each_event_lands_once_as_it_was_written(caught_up):
    purchases = [purchase(events.new_id()) for _ in range(20)]
    append(caught_up, *purchases)
    assert waiting(caught_up)["transaction"] == 20
    (landed,) = land_all(caught_up, ["transaction"])
    assert (landed.rows, landed.unreadable) == (20, 0)
    (again,) = land_all(caught_up, ["transaction"])
    assert (again.rows, again.files) == (0, 0)
    mine = {each["event_id"]: each for each in purchases}
    found = [row for row in rows_of(caught_up, "transaction") if row["value"]["event_id"] in mine]
    assert {row["value"]["event_id"]: row["value"] for row in found} == mine
    assert len(found) == 20
    assert all(row["_key"] == str(row["value"]["workspace_id"]).encode() for row in found)


def test_random_bytes_on_each_topic_land_as_unreadable_and_nothing_else_is_lost(caught_up):
    noise = {topic: os.urandom(40) for topic in TOPICS}
    producer = Producer({"bootstrap.servers": caught_up.bootstrap})
    for topic, value in noise.items():
        producer.produce(topic, value, key=b"noise", headers={"from": b"\xff"}, partition=0)
        producer.produce(topic, None, key=b"tombstone", partition=0)
    assert producer.flush(30) == 0
    good = purchase(events.new_id())
    append(caught_up, good)
    landed = land_all(caught_up)
    assert {each.topic: each.unreadable for each in landed} == dict.fromkeys(TOPICS, 2)
    for topic, value in noise.items():
        by_value = {row["value"]: row for row in rows_of(caught_up, topic, "unreadable")}
        assert by_value[value]["_key"] == b"noise"
        assert by_value[value]["_headers"] == [{"key": "from", "value": b"\xff"}]
        assert by_value[value]["reason"]
        assert "tombstone" in by_value[None]["reason"]
    assert good["event_id"] in {row["value"]["event_id"] for row in rows_of(caught_up, "transaction")}


def test_a_registry_that_is_down_is_named_and_the_next_landing_takes_everything(caught_up):
    good = purchase(events.new_id())
    append(caught_up, good)
    nobody = "http://127.0.0.1:9/apis/ccompat/v7"
    with pytest.raises(RegistryUnavailable, match="does not answer"):
        land_all(caught_up, ["transaction"], registry_url=nobody)
    assert waiting(caught_up)["transaction"] == 1
    (landed,) = land_all(caught_up, ["transaction"])
    assert landed.rows == 1
    assert good["event_id"] in {row["value"]["event_id"] for row in rows_of(caught_up, "transaction")}


def test_a_landing_killed_before_its_commit_is_done_again_under_the_same_names(caught_up, monkeypatch):
    append(caught_up, *(purchase(UUID(int=77)) for _ in range(3)))

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(manifest, "commit", killed)
        with pytest.raises(KeyboardInterrupt):
            land_all(caught_up, ["transaction"])
    assert waiting(caught_up)["transaction"] == 3
    (landed,) = land_all(caught_up, ["transaction"])
    assert (landed.rows, landed.files) == (3, 1)
    newest = landed_files("transaction")[-1]
    fs, path = store.locate(caught_up.lake, newest.path)
    beside = [name.rpartition("/")[2] for name in fs.ls(path.rpartition("/")[0], detail=False)]
    assert [name for name in beside if name.startswith(f"{newest.partition}+{newest.first_offset}-")] == [
        newest.path.rpartition("/")[2]
    ]


def test_a_landing_killed_in_a_long_backlog_keeps_the_files_it_had_committed(caught_up, monkeypatch):
    purchases = [purchase(UUID(int=79)) for _ in range(25)]
    append(caught_up, *purchases)
    before = landed_files("transaction")
    commit, commits = manifest.commit, []

    def killed_at_the_third(*given, **named):
        if len(commits) == 2:
            raise KeyboardInterrupt
        commit(*given, **named)
        commits.append(named)

    with monkeypatch.context() as patched:
        patched.setattr(manifest, "commit", killed_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            land_all(caught_up, ["transaction"], max_rows=10)
    kept = landed_files("transaction")[len(before) :]
    assert [file.rows for file in kept] == [10, 10]
    assert waiting(caught_up)["transaction"] == 5
    (landed,) = land_all(caught_up, ["transaction"], max_rows=10)
    assert (landed.rows, landed.files) == (5, 1)
    files = landed_files("transaction")[len(before) :]
    assert files[:2] == kept
    assert [file.first_offset for file in files[1:]] == [file.last_offset + 1 for file in files[:-1]]
    rows = [row for file in files for row in read_file(caught_up.lake, file)]
    assert [row["value"] for row in rows] == purchases


def test_files_end_at_the_limit_of_bytes_and_unreadable_messages_between_are_committed_with_their_neighbours(
    caught_up,
):
    workspace = UUID(int=80)
    purchases = [purchase(workspace, description=os.urandom(400).hex()) for _ in range(60)]
    noise = [os.urandom(500) for _ in range(6)]
    values = encoded(caught_up, *purchases)
    for number, each in enumerate(noise):
        values.insert(5 + number * 10, each)
    append_encoded(caught_up, workspace, *values)
    before = {kind: len(landed_files("transaction", kind)) for kind in ("events", "unreadable")}
    (landed,) = land_all(caught_up, ["transaction"], max_bytes=10_000)
    assert (landed.rows, landed.unreadable) == (60, len(noise))
    events, unreadable = (landed_files("transaction", kind)[before[kind] :] for kind in ("events", "unreadable"))
    assert len(events) > 3
    ends = sorted(max(file.last_offset for file in group) for group in _groups([*events, *unreadable]))
    (((start, end),)) = landed.offsets.values()
    assert ends[-1] == end - 1
    assert sum(file.rows for file in [*events, *unreadable]) == end - start
    assert [r["value"] for f in events for r in read_file(caught_up.lake, f)] == purchases
    assert [r["value"] for f in unreadable for r in read_file(caught_up.lake, f)] == noise


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_offsets_never_pass_a_message_whose_file_was_not_stored(caught_up, monkeypatch, kept):
    workspace = events.new_id()
    purchases = [purchase(workspace) for _ in range(8)]
    values = encoded(caught_up, *purchases)
    append_encoded(caught_up, workspace, *(value for each in values for value in (each, b"noise")))
    put, stored = store.put, []

    def killed(*given):
        if len(stored) == 2 * kept + 1:  # between the two files of a group
            raise KeyboardInterrupt
        put(*given)
        stored.append(given)

    with monkeypatch.context() as patched:
        patched.setattr(store, "put", killed)
        with pytest.raises(KeyboardInterrupt):
            land_all(caught_up, ["transaction"], max_rows=5)
    assert waiting(caught_up)["transaction"] == 16 - 5 * kept
    land_all(caught_up, ["transaction"], max_rows=5)
    events_, unreadable = (
        [row for row in rows_of(caught_up, "transaction", kind) if row["_key"] == str(workspace).encode()]
        for kind in ("events", "unreadable")
    )
    assert [row["value"] for row in events_] == purchases
    assert [row["value"] for row in unreadable] == [b"noise"] * 8
    offsets = sorted(row["_offset"] for row in [*events_, *unreadable])
    assert offsets == list(range(offsets[0], offsets[0] + 16))


def test_a_second_landing_of_the_same_offsets_is_fenced(caught_up):
    newest = landed_files("transaction")
    append(caught_up, purchase(UUID(int=78)))
    land_all(caught_up, ["transaction"])
    moved = next(file for file in landed_files("transaction") if file not in newest)
    with (
        session("pipeline", autocommit=True) as connection,
        pytest.raises(Fenced, match="another landing has moved it"),
    ):
        manifest.commit(
            connection,
            [],
            topic="transaction",
            topic_id=moved.topic_id,
            partition=moved.partition,
            start=moved.first_offset,
            end=moved.last_offset + 1,
        )


def test_events_that_kafka_deleted_before_they_landed_are_an_error_that_counts_them(stack):
    name = f"deleted-{events.new_id()}"
    admin = AdminClient({"bootstrap.servers": stack.bootstrap})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result()
    until(lambda: name in admin.list_topics(timeout=10).topics, what="the topic is there")
    producer = Producer({"bootstrap.servers": stack.bootstrap})
    for _ in range(5):
        producer.produce(name, b"x", partition=0)
    assert producer.flush(30) == 0
    for future in admin.delete_records([TopicPartition(name, 0, 3)]).values():
        future.result()
    try:
        with pytest.raises(OffsetsGone, match=r"stands at offset 0, but Kafka holds only what is from 3 on: 3 events"):
            land_all(stack, [name])
    finally:
        admin.delete_topics([name])[name].result()


@pytest.fixture
def at_once(caught_up, monkeypatch) -> dict[UUID, list[dict]]:
    """Purchases of twelve workspaces that wait to be landed, by as many lanes as there may be."""
    monkeypatch.setattr(sys.modules["ingestion.landing.land"], "_MANY", 1)
    sent = {workspace: [purchase(workspace) for _ in range(15)] for workspace in (events.new_id() for _ in range(12))}
    append(caught_up, *(each for round_ in zip(*sent.values(), strict=True) for each in round_))
    return sent


def landed_of(here: Settings, workspaces: Iterable[UUID]) -> dict[UUID, list[dict]]:
    """What bronze holds of each workspace, in the order of the log."""
    found: dict[UUID, list[tuple[int, dict]]] = {workspace: [] for workspace in workspaces}
    for row in rows_of(here, "transaction"):
        if row["value"]["workspace_id"] in found:
            found[row["value"]["workspace_id"]].append((row["_offset"], row["value"]))
    return {workspace: [value for _, value in sorted(rows, key=itemgetter(0))] for workspace, rows in found.items()}


def test_partitions_that_are_landed_at_once_hold_what_each_was_sent(caught_up, at_once):
    (landed,) = land_all(caught_up, ["transaction"], max_rows=10)
    assert landed.rows == 180
    assert len(landed.offsets) > 3
    assert landed.files >= 18
    assert waiting(caught_up)["transaction"] == 0
    assert landed_of(caught_up, at_once) == at_once


def test_a_lake_that_fails_while_partitions_land_at_once_ends_all_and_the_next_landing_takes_the_rest(
    caught_up, at_once, monkeypatch
):
    put, stored = store.put, []

    def fills(*given):
        if len(stored) >= 4:
            raise LakeUnavailable("the lake is full")
        stored.append(given)
        put(*given)

    with monkeypatch.context() as patched:
        patched.setattr(store, "put", fills)
        with pytest.raises(LakeUnavailable, match="the lake is full"):
            land_all(caught_up, ["transaction"], max_rows=10)
    held = landed_of(caught_up, at_once)
    assert 0 < sum(map(len, held.values())) <= 40
    assert all(at_once[workspace][: len(found)] == found for workspace, found in held.items())
    land_all(caught_up, ["transaction"])
    assert landed_of(caught_up, at_once) == at_once
