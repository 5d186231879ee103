"""Rows made of many events at once are those that each event gets by itself."""

from __future__ import annotations

from uuid import UUID

import pytest

from ingestion import events
from ingestion.projection.records import Reader, read
from tests.unit.encoded import NOW, Message, encoded, knowing_codec


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
