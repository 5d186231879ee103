"""Rows packed by arrays are, byte for byte, the rows that events make one by one, whatever the events hold."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ingestion.packing import Cells, Sheet, listed
from ingestion.projection.records import Reader, read
from ingestion.screening import LONGEST_TEXT
from tests.unit.encoded import Message, encoded, knowing_codec, purchase

CODEC = knowing_codec()
TEXT = some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=LONGEST_TEXT + 5)
INSTANTS = some.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001
EVENTS = some.builds(
    purchase,
    workspace_id=some.none() | some.uuids(),
    transaction_id=some.uuids(),
    actor_id=some.none() | some.uuids(),
    refund_of=some.none() | some.uuids(),
    version=some.integers(1, 2**31 - 1),
    kind=some.sampled_from(["expense", "income", "refund", "transfer"]),
    occurred_on=some.dates(),
    posted_on=some.none() | some.dates(),
    occurred_at_local=some.none() | INSTANTS,
    recorded_at=INSTANTS.map(lambda at: at.replace(tzinfo=UTC)),
    amount=some.decimals(Decimal("-99999999999999.9999"), Decimal("99999999999999.9999"), places=4),
    category_confidence=some.none() | some.floats(allow_nan=False, allow_infinity=False),
    source=some.sampled_from(["app", "api", "import"]),
    tags=some.lists(some.just("a"), max_size=1),
    **dict.fromkeys(
        ("merchant", "description", "note", "category_id", "external_id", "correlation_id", "mcc"), some.none() | TEXT
    ),
)


@settings(max_examples=100, deadline=None)
@given(some.lists(EVENTS, min_size=1, max_size=8))
def test_rows_packed_together_are_what_each_event_makes_by_itself(events):
    packed_as_one_by_one(events)


def packed_as_one_by_one(events):
    values = [encoded("transaction", event) for event in events] * 64
    messages = [Message(value, number=number) for number, value in enumerate(values)]
    one_by_one = [read(message, "log", CODEC) for message in messages]
    assert Reader(CODEC, {"transaction": "log"}).read(messages) == one_by_one


@settings(max_examples=50, deadline=None)
@given(some.lists(some.integers(-(10**18) + 1, 10**18 - 1), min_size=1, max_size=8))
def test_amounts_of_every_size_are_written_as_decimals_write_them(units):
    packed_as_one_by_one([purchase(transaction_id=UUID(int=1), amount=Decimal(number).scaleb(-4)) for number in units])


def test_a_field_counts_only_where_it_is_and_as_far_as_it_reaches():
    sheet = Sheet(3)
    sheet.constant(b"<")
    sheet.cells(listed([b"a", b"", b"long"]))
    sheet.constant(b"|", np.array([True, False, True]))
    sheet.copied(Cells(listed([b"one", b"two", b"six"]).values, present=np.array([True, False, True])))
    sheet.constant(b">")
    rows = [b"<a|\0\0\0\3one>", b"<\xff\xff\xff\xff>", b"<long|\0\0\0\3six>"]
    assert sheet.rows() == rows
    assert sheet.joined() == b"".join(rows)
    assert sheet.lengths.tolist() == [len(row) for row in rows]


@pytest.mark.parametrize("day", [date.min, date.max])
def test_the_first_and_the_last_day_are_written_as_iso_8601_says(day):
    made = Reader(CODEC, {"transaction": "log"}).read(
        [Message(encoded("transaction", purchase(occurred_on=day)), number=n) for n in range(64)]
    )
    assert all(f'"occurred_on":"{day.isoformat()}"'.encode() in record.row for record in made)
