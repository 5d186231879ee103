"""Dead letters without servers: naming one, its headers, its dump, and the alert when there are many."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from ingestion.codec import Codec
from ingestion.dead_letters import headers
from ingestion.dead_letters.dump import dump, printable, text_of
from ingestion.dead_letters.letters import Letter
from ingestion.dead_letters.retry import MEMORY
from ingestion.headers import headers_of
from ingestion.place import Place
from ingestion.projection.alert import ShareAlert, tell_each
from ingestion.projection.records import Record
from outlay.cli import cli

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def letter(**changes) -> Letter:
    given = dict(
        place=Place("transaction", 3, 42),
        topic_id="topic-1",
        logged_at=NOW,
        key=b"key",
        value=b"\x00\xff",
        size=2,
        headers=[("from", b"a feed"), ("empty", None)],
        reason="its schema id 7 is not in the registry",
        created_at=NOW,
        state="open",
        published_at=None,
        retried=None,
        discarded=None,
    )
    return Letter(**{**given, **changes})


def test_a_place_is_read_as_it_is_written():
    assert Place.parse("transaction/3@42") == Place("transaction", 3, 42)
    assert str(Place.parse("user/0@0")) == "user/0@0"


@pytest.mark.parametrize(
    "text", ["transaction/3", "transaction/3@", "transaction/-1@2", "3@42", "transaction/3@42 ", ""]
)
def test_what_is_no_place_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="expected topic/partition@offset such as transaction/3@42, got"):
        Place.parse(text)


def test_a_place_in_no_topic_of_ours_is_refused_with_the_topics():
    with pytest.raises(ValueError, match="expected a topic out of user, transaction, report, reminder; got 'orders'"):
        Place.parse("orders/0@1")


def test_the_command_line_refuses_what_is_no_place_in_one_line():
    result = CliRunner().invoke(cli, ["dead-letters", "show", "42"])
    assert result.exit_code == 2
    assert "expected topic/partition@offset such as transaction/3@42, got '42'" in result.output


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["retry"], "expected places such as transaction/3@42, or --all"),
        (["retry", "--all", "user/0@1"], "expected places or --all, got both"),
        (["retry", "user/0@1", "--topic", "user"], "--topic goes with --all"),
        (["discard", "user/0@1"], "Missing option '--reason'"),
        (["discard", "user/0@1", "--reason", " "], "--reason: expected why nobody needs them"),
    ],
)
def test_what_cannot_be_meant_is_refused(given, said):
    result = CliRunner().invoke(cli, ["dead-letters", *given])
    assert result.exit_code == 2
    assert said in result.output


def test_a_published_letter_keeps_its_headers_and_says_what_kafka_connect_says():
    assert headers.published(letter()) == [
        ("from", b"a feed"),
        ("empty", None),
        ("__connect.errors.topic", b"transaction"),
        ("__connect.errors.partition", b"3"),
        ("__connect.errors.offset", b"42"),
        ("__connect.errors.connector.name", b"outlay-live"),
        ("__connect.errors.task.id", b"0"),
        ("__connect.errors.stage", b"VALUE_CONVERTER"),
        ("__connect.errors.class.name", b"ingestion.codec.Codec"),
        ("__connect.errors.exception.class.name", b"ingestion.codec.Unreadable"),
        ("__connect.errors.exception.message", b"its schema id 7 is not in the registry"),
        ("outlay.topic.id", b"topic-1"),
    ]


def test_a_letter_that_postgresql_refused_says_that_storing_it_failed():
    told = dict(headers.published(letter(reason="PostgreSQL refused it: numeric field overflow")))
    assert told["__connect.errors.stage"] == b"TASK_PUT"
    assert told["__connect.errors.exception.class.name"] == b"psycopg.DatabaseError"
    assert told["__connect.errors.exception.message"] == b"PostgreSQL refused it: numeric field overflow"


def test_a_retried_event_names_the_place_that_it_comes_from_and_the_last_one_counts():
    first = headers.retried(letter())
    assert first == [("from", b"a feed"), ("empty", None), ("outlay.retried.from", b"transaction/3@42")]
    again = headers.retried(letter(headers=first, place=Place("transaction", 3, 50)))
    assert headers.retried_from(letter(headers=again)) == Place("transaction", 3, 50)
    assert headers.retried_from(letter()) is None


@pytest.mark.parametrize("error", [SystemError, UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid")])
def test_a_header_that_the_client_cannot_give_stops_nobody_who_reads_the_log(error):
    def headers():
        raise error

    assert headers_of(SimpleNamespace(headers=headers)) == []
    assert headers_of(SimpleNamespace(headers=lambda: None)) == []
    assert headers_of(SimpleNamespace(headers=lambda: [("a", b"1"), ("a", None)])) == [("a", b"1"), ("a", None)]


@pytest.mark.parametrize("value", [b"\xff\x00", b"nowhere", None])
def test_a_header_that_somebody_made_up_names_no_place(value):
    assert headers.retried_from(letter(headers=[("outlay.retried.from", value)])) is None


def test_a_dump_shows_offset_hex_and_what_can_be_printed():
    assert dump(b"\x00\x00\x00\x00\x07Joe's caf\xc3\xa9\x1b[2J") == (
        "00000000  00 00 00 00 07 4a 6f 65 27 73 20 63 61 66 c3 a9  .....Joe's caf..\n"
        "00000010  1b 5b 32 4a                                      .[2J"
    )
    assert dump(b"") == ""


def test_a_dump_is_bounded_and_says_what_it_leaves_out():
    shown = dump(bytes(1_000_000), limit=20).splitlines()
    assert len(shown) == 3
    assert shown[1].startswith("00000010  00 00 00 00  ")
    assert shown[2] == "... 999,980 of 1,000,000 bytes more"
    assert dump(bytes(20), limit=20).count("\n") == 1


def test_nothing_in_a_letter_moves_the_terminal():
    assert printable("ok é \x1b[2J\n\u202e") == "ok é \\x1b[2J\\n\\u202e"
    assert text_of(b"a\xff\x07") == "a\\xff\\x07"
    assert (text_of(None), text_of(b"")) == ("null", "")


def test_a_retry_waits_as_long_as_a_projector_remembers_an_unknown_schema():
    assert Codec("http://127.0.0.1:1")._unknown.ttl == MEMORY


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_flood_of_dead_letters_is_no_flood_of_lines():
    letters = [Record("report", "id", 0, n, NOW, None, b"", (), None, f"reason {n}") for n in range(5_000)]
    with capture_logs() as told:
        tell_each(letters[:2])
        tell_each(letters)
    assert [line["reason"] for line in told[:2]] == ["reason 0", "reason 1"]
    assert [line.get("offset") for line in told[2:]] == [*range(10), None]
    assert told[-1]["letters"] == 4_990


def test_a_rising_share_is_told_once_and_once_when_it_is_over():
    clock = Clock()
    alert = ShareAlert(share=0.1, least=5, window=60, clock=clock)
    with capture_logs() as told:
        for second in range(50):  # one in a hundred
            clock.now = second
            alert.count(100, 1)
        assert told == []
        for second in range(50, 100):  # one in two
            clock.now = second
            alert.count(100, 50)
        assert [(line["log_level"], line["event"]) for line in told] == [
            ("warning", "many dead letters: see `outlay dead-letters list`")
        ]
        assert told[0]["percent"] >= 10
        clock.now = 300  # nothing comes any more, and the window has moved on
        alert.count(0, 0)
    assert [line["log_level"] for line in told] == ["warning", "info"]
    assert (told[1]["dead_letters"], told[1]["messages"], told[1]["percent"]) == (0, 0, 0.0)


def test_a_few_dead_letters_raise_no_alert_however_large_their_share():
    alert = ShareAlert(share=0.1, least=5, window=60, clock=Clock())
    with capture_logs() as told:
        for _ in range(4):
            alert.count(1, 1)
    assert told == []


def test_a_share_at_the_edge_does_not_flutter():
    clock = Clock()
    alert = ShareAlert(share=0.1, least=1, window=10, clock=clock)
    with capture_logs() as told:
        for second in range(200):
            clock.now = second
            alert.count(100, 9 if second % 12 < 6 else 11)
    assert [line["log_level"] for line in told] == ["warning"]


def test_the_list_of_letters_is_a_document_for_programs(monkeypatch):
    from outlay.cli import dead_letter_report as report

    said = []
    monkeypatch.setattr(report.click, "echo", said.append)
    report.letters([letter(value=None, size=None)], {"transaction": 1}, as_json=True)
    found = json.loads(said[0])
    assert found["open"] == {"transaction": 1}
    assert found["letters"][0]["place"] == "transaction/3@42"
    assert found["letters"][0]["bytes"] is None
    assert (found["letters"][0]["state"], found["letters"][0]["retried"]) == ("open", None)
