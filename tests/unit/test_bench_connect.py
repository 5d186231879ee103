"""Kafka Connect is given what the table of peers has, and its password stays in a file of its user's own."""

import re
from pathlib import Path

from bench.live import connect
from bench.live.system import Task
from ingestion.contracts import schema

PEER = Path(connect.__file__).with_name("peer.sql")


def properties(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_the_sink_writes_every_column_of_the_table():
    table = PEER.read_text().split("CREATE TABLE peer.transactions (")[1].split("PRIMARY KEY")[0]
    sink = properties(connect.TEMPLATES / "sink.properties")
    fields = sink["transforms.columns.include"].split(",")
    assert set(fields) <= {field["name"] for field in schema("transaction")["fields"]}
    place = [sink[f"transforms.place.{name}.field"] for name in ("partition", "offset", "timestamp")]
    assert [*fields, *place] == re.findall(r"^    (\w+)", table, re.MULTILINE)


def test_the_password_is_in_a_file_that_only_its_user_reads(tmp_path):
    task = Task("postgresql://me:a%5Cb%23c@127.0.0.1:5/base", "127.0.0.1:6", "http://r/apis/ccompat/v7", {}, tmp_path)
    path = connect._write("sink.properties", tmp_path, connect._values(task, "bench-1", "bench-connect"))
    assert path.stat().st_mode & 0o777 == 0o600
    written = properties(path)
    assert written["connection.password"] == r"a\\b#c"  # as Java reads it: a\b#c
    assert written["connection.url"].startswith("jdbc:postgresql://127.0.0.1:5/base?ApplicationName=bench-connect&")
    assert written["transforms.place.type"] == "org.apache.kafka.connect.transforms.InsertField$Value"


def test_the_lock_pins_what_is_asked_for_and_names_no_host():
    lines = [line for line in connect.LOCK.read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"connect [\w.-]+(:[\w.-]+){2,4} [0-9a-f]{64}", line)] == []
    assert set(connect.PINS) <= {line.split()[1] for line in lines}
    assert {line.split()[1].split(":")[-1] for line in lines if "org.apache.kafka:" in line} == {"4.1.1"}
