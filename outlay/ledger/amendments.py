"""What all rules share that amend what is recorded: whole states read a page at a time, judged as they stand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import psycopg

from ingestion.events import NIL, owner_of
from ingestion.rules import problems
from outlay.db import session

_PAGE = 2_000  # transactions read together
_LAST_VERSION = 2**31 - 1

Page = list[dict[str, Any]]
Opened = Callable[[], AbstractContextManager[psycopg.Connection]]
"""Opens a session that sees one workspace, as whoever amends."""


@dataclass
class Preview:
    """Counts over the transactions that a rule may change."""

    looked_at: int = 0
    would_change: int = 0
    set_aside: int = 0
    """They would change, and break a rule of quarantine: to be corrected first."""


def as_operator(workspace_id: UUID) -> Opened:
    """Sessions of whoever runs the installation."""
    return partial(session, "operator", workspace_id=workspace_id)


def by_rule(workspace_id: UUID) -> dict[str, Any]:
    """Who amends where nobody does by hand."""
    return {"actor_id": owner_of(workspace_id), "source": "rule"}


def pages(opened: Opened, read: Callable[..., Page], key: str = "transaction_id") -> Iterator[Page]:
    """Each page in a session of its own, so that live is not held up for long.

    Args:
        read: called with a connection, `after` and `page`: at most `page` rows, by their key, all above `after`.
        key: a column of UUIDs.
    """
    after = NIL
    while True:
        with opened() as connection:
            page = read(connection, after=after, page=_PAGE)
        yield page
        if len(page) < _PAGE:
            return
        after = page[-1][key]


def has_no_next(state: Mapping[str, Any], recorded_at: Any, currencies: Collection[str]) -> bool:
    """Whether a state breaks a rule of quarantine, or has had all versions that there can be."""
    return state["version"] == _LAST_VERSION or bool(problems({**state, "recorded_at": recorded_at}, currencies))
