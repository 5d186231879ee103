"""Would PostgreSQL take this event now? The projector's own merge says so, in a transaction that is rolled back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from ingestion.dead_letters.letters import REFUSED_BY_POSTGRESQL, Letter
from ingestion.projection.rows import row
from ingestion.projection.view import REFUSED, View


class Rehearsal:
    """Merges events as the projector does, and never commits."""

    def __init__(self, connection: psycopg.Connection):
        self._view = View(connection, {})

    @classmethod
    @contextmanager
    def opened(cls, dsn: str) -> Iterator[Rehearsal]:
        """Args: dsn: the database, as the role that the projector has."""
        with psycopg.connect(dsn, autocommit=True, application_name="outlay-rehearsal") as connection:
            yield cls(connection)

    def refusal(self, letter: Letter, event: Mapping[str, Any]) -> str | None:
        """Why PostgreSQL would refuse the letter's event, in the words of a dead letter; None when it takes it."""
        place = (letter.place.topic, letter.topic_id, letter.place.partition, letter.place.offset, letter.logged_at)
        try:
            self._view.rehearse(row(*place, event).row, letter.place.topic)
        except REFUSED as error:
            return f"{REFUSED_BY_POSTGRESQL}{(error.diag.message_primary or str(error)).splitlines()[0]}"
        return None
