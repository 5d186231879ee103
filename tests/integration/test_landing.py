"""From Kafka to bronze on the real servers: everything lands once, whatever it is and whatever breaks meanwhile."""

import os
from uuid import UUID

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from ingestion import events
from ingestion.codec import RegistryUnavailable
from ingestion.contracts import TOPICS
from ingestion.landing import Fenced, OffsetsGone, manifest, store
from outlay.db import session
from outlay.settings import Settings
from tests.landing import append, land_all, landed_files, purchase, rows_of, waiting
from tests.support import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


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
