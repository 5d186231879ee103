"""Rows made of many events at once are those that each event gets by itself."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest

from ingestion import events
from ingestion.projection.records import Reader, read
from tests.unit.encoded import NOW, Message, encoded, knowing_codec, purchase


@pytest.mark.parametrize("entity", events.ENTITIES)
def test_an_entity_without_its_record_stays_what_it_is_in_a_batch(entity):
    """As whoever deletes one may send it."""
    codec = knowing_codec()
    deleted = events.entity(
        entity=entity, entity_id=UUID(int=1), state={}, workspace_id=UUID(int=2), operation="deleted", source="app",
        recorded_at=NOW, occurred_at=NOW,
    ) | {entity: None}  # fmt: skip
    messages = [Message(encoded("user", deleted), of="user", number=number) for number in range(100)]
    assert Reader(codec, {"user": "log"}).read(messages) == [read(message, "log", codec) for message in messages]


def test_a_category_beyond_any_index_is_a_dead_letter_however_many_are_read_together():
    """PostgreSQL refused it or not, by whether the same batch held a later version of the transaction."""
    codec = knowing_codec()
    parts = [events.line(Decimal("12.34"), line_id=UUID(int=4), category_id="x" * 2_001)]
    changes = [
        {"category_id": "x" * 1_998},
        {"category_id": "x" * 1_997},
        {"category_id": "ü" * 1_000},
        {"currency": "€" * 700},
        {"lines": parts, "category_id": "food"},
        {"note": "x" * 5_000},
    ]
    values = [encoded("transaction", purchase(**change)) for change in changes] * 20
    messages = [Message(value, number=number) for number, value in enumerate(values)]
    records = Reader(codec, {"transaction": "log"}).read(messages)
    assert records == [read(message, "log", codec) for message in messages]
    beyond = "live's totals take a category and a currency of at most 2000 bytes together, got "
    assert [record.reason for record in records[:6]] == [
        *(f"{beyond}2001", None, f"{beyond}2003", f"{beyond}2100", f"{beyond}2004", None)
    ]
