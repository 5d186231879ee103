"""All there is to say about one dead letter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from ingestion.codec import Codec, RegistryUnavailable, Unreadable
from ingestion.dead_letters.headers import retried_from
from ingestion.dead_letters.letters import Letter, find
from ingestion.dead_letters.retry import Fate, fate
from ingestion.events import NIL
from ingestion.place import Place


@dataclass(frozen=True)
class Inspection:
    """A letter, and what can be made of it now.

    `event` is what the codec of now reads, else `problem` says why it reads nothing. `fate` is what live made of the
    retried event. `retry_of` is the letter that this one was before, when it is a retry that failed again.
    """

    letter: Letter
    event: dict[str, Any] | None
    problem: str | None
    fate: Fate | None
    retry_of: Place | None


def inspect(connection: psycopg.Connection, codec: Codec, place: Place) -> Inspection:
    """Find the letter and read it anew.

    Raises:
        NoSuchLetter: there is none.
    """
    letter = find(connection, place)
    event = problem = became = None
    try:
        event = codec.decode(place.topic, letter.value)
    except Unreadable as error:
        problem = error.reason
    except RegistryUnavailable as error:
        problem = str(error)
    if letter.retried is not None:
        workspace_id = event and (event["workspace_id"] or NIL)
        became = fate(connection, workspace_id, letter.retried.topic_id, letter.retried.place)
    return Inspection(letter, event, problem, became, retried_from(letter))
