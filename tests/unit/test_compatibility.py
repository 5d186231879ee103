"""A contract may grow, and old and new events and readers understand each other; it may not change its meaning."""

import copy
import io
from typing import Any

import pytest
from fastavro import schemaless_reader, schemaless_writer

from ingestion.compatibility import breaks
from ingestion.contracts import TOPICS, schema

GROWTH = {
    "a new enum symbol": lambda s: field(s, "kind")["type"]["symbols"].append("fee"),
    "a new nullable field": lambda s: s["fields"].append({"name": "mood", "type": ["null", "string"], "default": None}),
    "a new nullable field of a line": lambda s: line_fields(s).append(
        {"name": "vat", "type": ["null", "string"], "default": None}
    ),
    "another description": lambda s: field(s, "amount").update(doc="What it cost."),
}
BREAKS = {
    "colour: it is added without a default": lambda s: s["fields"].append({"name": "colour", "type": "string"}),
    "currency: it is removed, and had no default": lambda s: s["fields"].remove(field(s, "currency")),
    "amount: its type changes from decimal(18,4) to double": lambda s: field(s, "amount").update(type="double"),
    "amount: its type changes from decimal(18,4) to decimal(18,2)": lambda s: field(s, "amount")["type"].update(
        scale=2
    ),
    "occurred_at: its type changes from timestamp-micros to timestamp-millis": lambda s: field(s, "occurred_at")[
        "type"
    ].update(logicalType="timestamp-millis"),
    "version: its type changes from int to long": lambda s: field(s, "version").update(type="long"),
    "kind: it loses transfer": lambda s: field(s, "kind")["type"]["symbols"].remove("transfer"),
    "note: its type changes from null or string to null or string or int": lambda s: typed(s, "note").append("int"),
    "lines[].vat: it is added without a default": lambda s: line_fields(s).append({"name": "vat", "type": "string"}),
}


def field(of: dict, name: str) -> dict:
    return next(each for each in of["fields"] if each["name"] == name)


def typed(of: dict, name: str) -> Any:
    return field(of, name)["type"]


def line_fields(of: dict) -> list[dict]:
    return field(of, "lines")["type"]["items"]["fields"]


def changed(change) -> dict:
    after = copy.deepcopy(schema("transaction"))
    change(after)
    return after


@pytest.mark.parametrize("topic", TOPICS)
def test_a_schema_follows_itself(topic):
    assert breaks(schema(topic), schema(topic)) == []


@pytest.mark.parametrize("growth", GROWTH)
def test_the_growth_that_was_foreseen_passes_in_both_directions(growth):
    before, after = schema("transaction"), changed(GROWTH[growth])
    assert breaks(before, after) == []
    if growth != "another description":
        assert [line for line in breaks(after, before) if "it loses" not in line] == []


@pytest.mark.parametrize("said", BREAKS)
def test_a_change_that_would_be_misread_is_refused_by_the_name_of_its_field(said):
    assert breaks(schema("transaction"), changed(BREAKS[said])) == [said]


def test_all_problems_are_told_at_once():
    def both(s):
        BREAKS["kind: it loses transfer"](s)
        BREAKS["colour: it is added without a default"](s)

    assert len(breaks(schema("transaction"), changed(both))) == 2


def test_older_readers_read_a_new_symbol_as_unknown_and_skip_a_new_field():
    old = {"type": "record", "name": "E", "fields": [{"name": "kind", "type": enum("unknown", "expense")}]}
    new = {
        "type": "record",
        "name": "E",
        "fields": [
            {"name": "kind", "type": enum("unknown", "expense", "fee")},
            {"name": "mood", "type": ["null", "string"], "default": None},
        ],
    }
    assert breaks(old, new) == []
    assert resolved({"kind": "fee", "mood": "glad"}, new, old) == {"kind": "unknown"}
    assert resolved({"kind": "expense"}, old, new) == {"kind": "expense", "mood": None}


def enum(*symbols: str) -> dict:
    return {"type": "enum", "name": "Kind", "symbols": list(symbols), "default": symbols[0]}


def resolved(event: dict, writer: dict, reader: dict) -> dict:
    written = io.BytesIO()
    schemaless_writer(written, writer, event)
    written.seek(0)
    return schemaless_reader(written, writer, reader)
