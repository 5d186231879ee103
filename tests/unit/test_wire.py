"""Bytes that fastavro reads and other readers of Avro do not, or not alike, are no event."""

from __future__ import annotations

import json
import time
from copy import deepcopy

import pytest
from fastavro import parse_schema

from ingestion import contracts
from ingestion.codec import FRAME, Unreadable
from ingestion.screening import Screen
from tests.unit.encoded import encoded, knowing_codec, others, purchase, transactions

VALUE = encoded("transaction", purchase(tags=["a", "bc"], merchant="Joe"))
TAGS = b"\x04\x02a\x04bc\x00"
AMOUNT = b"\x06\x01\xe2\x08"  # 12.3400


ACCOUNT = str(purchase()["account_id"]).encode()


def changed(before: bytes, after: bytes, value: bytes = VALUE) -> bytes:
    assert value.count(before) == 1, "the bytes to change are not where they were expected"
    return value.replace(before, after)


def after_head(begin: bytes) -> bytes:
    """The value with other bytes from its version on: version, operation, kind and status take a byte each."""
    place = VALUE.index(b"\x02\x02\x02\x04\x48")
    return VALUE[:place] + begin + VALUE[place + 4 :]


WRONG = {
    "a symbol counted from the end": (
        after_head(b"\x02\x02\x01\x04"),
        "kind: expected one of 5 numbered from 0, got -1",
    ),
    "a symbol beyond the last": (after_head(b"\x02\x02\x0a\x04"), "kind: expected one of 5 numbered from 0, got 5"),
    "a type counted from the end": (
        changed(b"\x02\x06Joe", b"\x01\x06Joe"),
        "merchant: expected one of 2 numbered from 0, got -1",
    ),
    "an integer of six bytes": (
        after_head(b"\x82\x80\x80\x80\x80\x00\x02\x02\x04"),
        "version: expected a number of 32 bits, got bytes 8280808080",
    ),
    "a length of eleven bytes": (
        changed(b"\x02\x06Joe", b"\x02\x86" + b"\x80" * 9 + b"\x00Joe"),
        "merchant: expected a number of 64 bits",
    ),
    "a length of -2": (changed(b"\x02\x06Joe", b"\x02\x03Joe"), "merchant: expected a length of at most"),
    "a length beyond the end": (changed(b"\x02\x06Joe", b"\x02\xfe\x7fJoe"), "merchant: expected a length of at most"),
    "a decimal without a byte": (changed(AMOUNT, b"\x00"), "amount: expected a decimal of 1 to 32 bytes, got 0"),
    "a decimal of 33 bytes": (
        changed(AMOUNT, b"\x42" + bytes(33)),
        "amount: expected a decimal of 1 to 32 bytes, got 33",
    ),
    "a UUID in braces": (
        changed(b"\x48" + ACCOUNT, b"\x4c{%s}" % ACCOUNT),
        "account_id: expected a UUID of 36 characters in lower case",
    ),
    "a UUID in capitals": (
        changed(b"\x48" + ACCOUNT, b"\x48ABCDEF" + ACCOUNT[6:]),
        "account_id: expected a UUID of 36 characters in lower case, got b'ABCDEF",
    ),
    "a UUID with an underscore for a digit": (
        changed(b"\x48" + ACCOUNT, b"\x48" + ACCOUNT[:10] + b"_" + ACCOUNT[11:]),
        "account_id: expected a UUID of 36 characters in lower case",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_readers_of_avro_do_not_read_alike_is_no_event(name):
    value, reason = WRONG[name]
    with pytest.raises(Unreadable) as refused:
        knowing_codec().decode("transaction", value)
    assert refused.value.reason.startswith(reason)
    assert Screen(parse_schema(contracts.schema("transaction")), skip=FRAME).passes([VALUE, value]) == [True, False]


RARE = {
    "an array in a block that says its size": changed(TAGS, b"\x03\x0a\x02a\x04bc\x00"),
    "an array in two blocks": changed(TAGS, b"\x02\x02a\x01\x06\x04bc\x00"),
    "a length in two bytes where one would do": changed(b"\x02\x06Joe", b"\x02\x86\x00Joe"),
    "a decimal in more bytes than it needs": changed(AMOUNT, b"\x20" + bytes(13) + AMOUNT[1:]),
}


@pytest.mark.parametrize("name", RARE)
def test_rare_forms_that_every_reader_reads_alike_are_the_same_event(name):
    codec = knowing_codec()
    assert codec.decode("transaction", RARE[name]) == codec.decode("transaction", VALUE)


def test_every_shape_of_the_contract_is_passed_to_its_last_byte():
    codec = knowing_codec()
    for topic, event in [*(("transaction", event) for event in transactions()), *others()]:
        assert codec.decode(topic, encoded(topic, event))["event_id"] == event["event_id"]


def test_a_decimal_of_a_megabyte_is_refused_at_once():
    value = changed(AMOUNT, b"\x80\x89\x7a" + b"\x7f" * 1_000_000)  # to make a number of it takes minutes
    began = time.monotonic()
    with pytest.raises(Unreadable, match="amount: expected a decimal of 1 to 32 bytes, got 1000000"):
        knowing_codec().decode("transaction", value)
    assert time.monotonic() - began < 5


def test_a_reason_stays_short_whatever_the_bytes_hold():
    assert len(Unreadable("x" * 1_000_000).reason) == 500


class Knows:
    """A registry's client that answers with one schema."""

    def __init__(self, schema: dict):
        self.schema_str, self.schema_type = json.dumps(schema), "AVRO"

    def get_schema(self, _: int) -> Knows:
        return self


def contract(name: str, **changes: object) -> dict:
    """The contract of transactions with one field changed."""
    schema = deepcopy(contracts.schema("transaction"))
    next(field for field in schema["fields"] if field["name"] == name).update(changes)
    return schema


FIXED = {"type": "fixed", "name": "Four", "size": 4}
UNUSABLE = {
    "the contract's name with another type of amount": (
        contract("amount", type="double"),
        "NotConforming: it is no version of the contract: amount: its type changes from double to decimal(18,4)",
    ),
    "a type that no contract uses": (
        {"type": "record", "name": "Sensor", "fields": [{"name": "four", "type": FIXED}]},
        "KeyError: 'fixed'",
    ),
    "a type that is nowhere defined": (
        {"type": "record", "name": "Sensor", "fields": [{"name": "four", "type": "Nowhere"}]},
        "UnknownType: Nowhere",
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
@pytest.mark.parametrize("as_written", [False, True])
def test_a_registered_schema_that_cannot_be_used_makes_its_messages_unreadable_and_nothing_else(name, as_written):
    schema, reason = UNUSABLE[name]
    codec = knowing_codec()
    codec._client = Knows(schema)
    with pytest.raises(Unreadable) as refused:
        codec.decode("transaction", b"\0" + (9).to_bytes(4, "big") + VALUE[FRAME:], as_written=as_written)
    assert refused.value.reason == f"its schema id 9 cannot be used: {reason}"
    assert codec.decode("transaction", VALUE)["currency"] == "EUR"


def test_newer_and_older_versions_of_the_contract_are_read():
    older, newer = contract("import_id"), contract("import_id")
    older["fields"].pop()
    newer["fields"].append({"name": "mood", "type": ["null", "string"], "default": None})
    for schema, value in ((older, VALUE[:-1]), (newer, VALUE + b"\x02\x06yay")):
        codec = knowing_codec()
        codec._client = Knows(schema)
        assert codec.decode("transaction", b"\0" + (9).to_bytes(4, "big") + value[FRAME:]) == codec.decode(
            "transaction", VALUE
        )
