"""How far the readers of the log are behind, and how many dead letters wait."""

from __future__ import annotations

import os
from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest

from ingestion import events
from ingestion.codec import Codec
from ingestion.producer import EventProducer
from outlay.ledger.backlog import backlog
from tests.support import outlay, until

pytestmark = [pytest.mark.integration, pytest.mark.small]


def test_what_is_sent_is_unlanded_until_a_landing_and_unread_until_live_has_it_and_garbage_waits_as_a_dead_letter(
    stack,
):
    until(lambda: backlog()["transaction"]["unread"] == 0, what="live has read everything")
    before = backlog()["transaction"]
    workspace = uuid4()
    with EventProducer(stack.bootstrap, Codec(stack.registry), client_id="test") as producer:
        for number in range(5):
            event = events.transaction(
                workspace_id=workspace,
                transaction_id=events.derived_id(workspace, number),
                account_id=workspace,
                kind="expense",
                occurred_on=date(2026, 5, 1),
                amount=Decimal(number),
                currency="EUR",
                source="app",
            )
            producer.send("transaction", event)
        producer.send_encoded("transaction", event, b"\xff" + os.urandom(20))
        assert producer.flush(30) == 0
    assert backlog()["transaction"]["unlanded"] == before["unlanded"] + 6
    until(lambda: backlog()["transaction"]["unread"] == 0, what="live has read them")
    assert backlog()["transaction"]["dead_letters"] == before["dead_letters"] + 1
    assert "dead letters: outlay dead-letters list" in outlay("status").stdout
