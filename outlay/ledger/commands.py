"""The ledger: the one way for people, programs and importers to append events and learn what was decided of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import cache, partial
from typing import Any, Required, TypedDict, Unpack
from uuid import UUID

import psycopg

from ingestion.codec import Codec
from ingestion.enrich import Enricher
from ingestion.events import NIL, derived_id, new_id
from ingestion.producer import Delivery, EventProducer
from ingestion.rules import Problem
from outlay.db import session
from outlay.ledger.appending import EVENT_ID_UNUSED, Answer, Appender, Event, Posting, answer_of, must_differ
from outlay.ledger.bulk import Appended, BulkAppend, Progress
from outlay.ledger.choosing import OwnEnricher
from outlay.ledger.decisions import await_live, behind, first_sights
from outlay.ledger.drafts import LineDraft, TransactionDraft, amended, corrected, recorded, restored, returned, voided
from outlay.ledger.errors import AppendStopped, KafkaUnavailable, LiveStalled, NotAllowed, NotFound, Refused, Taken
from outlay.ledger.line import Line, Message
from outlay.ledger.queries import choices
from outlay.ledger.reading import Reader
from outlay.ledger.references import NAMING, named_anew
from outlay.ledger.states import TRANSACTION, Thing, transactions_at
from outlay.settings import Settings, settings

__all__ = [
    "Answer",
    "AppendStopped",
    "Appended",
    "KafkaUnavailable",
    "Ledger",
    "LineDraft",
    "LiveStalled",
    "NotAllowed",
    "NotFound",
    "Problem",
    "Progress",
    "Refused",
    "Taken",
    "TransactionDraft",
]

_WAIT = 2.0  # seconds for live to decide one event
_LONG_WAIT = 10.0  # the same of some hundred
_LONG_PATIENCE = 60  # seconds for Kafka to acknowledge one event in a long append, which outlives a broker's restart

OWNERS, WRITERS = ("owner",), ("owner", "editor")
"""Roles: who may change a workspace and who is in it; who may change what it holds."""


class Change(TypedDict, total=False):
    """How a thing is changed. With an `event_id` of the caller's, a retry is the same event. `wait`: seconds."""

    expected_version: Required[int]
    actor_id: Required[UUID]
    source: Required[str]
    event_id: UUID | None
    wait: float


class Ledger:
    """Appends events. Thread-safe; opened once per process, as a context manager.

    Nothing is connected until the first event, so opening it never fails. It works as whoever runs the installation;
    `acting_for` is one that works for somebody else.
    """

    def __init__(self, using: Settings | None = None):
        self._settings = using or settings()
        self._codec = Codec(self._settings.registry)
        self._line = Line(self._settings, self._codec)
        self._appender = Appender(self._codec, self._line)
        self._enricher = cache(lambda: Enricher(self._settings.seeds))  # those that act for somebody share it
        self._user_id: UUID | None = None

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def acting_for(self, user_id: UUID | None) -> Ledger:
        """The same ledger for a user: it reads what they may see, and changes what their role allows.

        Every method then raises NotAllowed where it does not. None is whoever runs the installation.
        """
        theirs = copy(self)
        theirs._user_id = user_id
        return theirs

    def append(self, topic: str, event: Event, *, wait: float = _WAIT) -> Answer:
        """Append one event and wait up to `wait` seconds for what live decides of it.

        An event that live knows already gets its first answer, and nothing is appended.

        Raises:
            Refused: it does not fit the contract, breaks a rule, or its event_id was used with another content.
            KafkaUnavailable: Kafka does not acknowledge it in a few seconds. Appending the same event again is safe.
        """
        with self._session(event["workspace_id"] or NIL, _needed(event.get("entity"))) as connection:
            return _only(self._settled(connection, topic, [Posting(event)], wait))

    def append_many(
        self, topic: str, events: Iterable[Event], *, on_progress: Callable[[Progress], None] | None = None
    ) -> Appended:
        """Append every event that live does not know; returns when each is acknowledged and decided.

        Takes any number of events in bounded memory. May be run again at any time: it then adds what is missing.

        Raises:
            NotAllowed: whom it works for may not change the workspace of an event.
            Refused: an event does not fit the contract or breaks a rule; those before it are appended.
            KafkaUnavailable: Kafka or the registry is away; nothing was appended.
            AppendStopped: Kafka failed on the way; says how many events it has.
            LiveStalled: live, or PostgreSQL, has stood still for a minute.
        """
        ends = self._line.ends(topic)
        with (
            Reader(self._settings) as reader,
            EventProducer(
                self._settings.bootstrap,
                self._codec,
                client_id="outlay-bulk",
                delivery_timeout=_LONG_PATIENCE,
                linger=0.05,
            ) as producer,
        ):
            run = BulkAppend(topic, producer, reader, self._allowed(), on_progress)
            run.await_caught_up(ends)
            return run.run(events)

    def record(
        self,
        draft: TransactionDraft,
        *,
        workspace_id: UUID,
        actor_id: UUID,
        source: str,
        event_id: UUID | None = None,
        transaction_id: UUID | None = None,
        correlation_id: str | None = None,
        wait: float = _WAIT,
    ) -> Answer:
        """Record a transaction, its merchant and category found where the draft leaves them open.

        A caller that may retry gives an `event_id`, or the draft an `external_id`; the retry is then the same event and
        the same transaction.

        Raises:
            Refused, KafkaUnavailable: see `append`. Also where it names an account, a category or a transaction that
                the workspace has not.
            Taken: another transaction has its external_id.
        """
        by = {"workspace_id": workspace_id, "actor_id": actor_id, "source": source, "correlation_id": correlation_id}
        with self._session(workspace_id, WRITERS) as connection:
            enricher = self._own_enricher(connection)
            posting = self._recorded(draft, enricher, event_id=event_id, transaction_id=transaction_id, **by)
            [outcome] = self._settled(connection, "transaction", [posting], wait)
        return _only([_known_by_its_own_id(draft, event_id, posting, outcome)])

    def record_many(
        self,
        drafts: Sequence[tuple[UUID | None, TransactionDraft]],
        *,
        workspace_id: UUID,
        actor_id: UUID,
        source: str,
        at: str = "",
        wait: float = _LONG_WAIT,
    ) -> list[Answer | Refused]:
        """Record some transactions, each as of `record`, and wait for all together. All are judged before one is sent.

        Args:
            drafts: each with the caller's `event_id`, or None.
            at: what stands before a draft's number in the fields of a refusal.

        Returns:
            For each draft its answer, or why live has something else under its event_id or external_id.

        Raises:
            Refused: as of `record`, with the fields of `<at><number>.`, from 0. Nothing was appended.
            KafkaUnavailable: see `append`. Sending all again is safe.
        """
        by = {"workspace_id": workspace_id, "actor_id": actor_id, "source": source}
        with self._session(workspace_id, WRITERS) as connection:
            enricher = self._own_enricher(connection)
            postings = [
                self._recorded(draft, enricher, event_id=event_id, at=f"{at}{number}.", **by)
                for number, (event_id, draft) in enumerate(drafts)
            ]
            must_differ(postings)
            outcomes = self._settled(connection, "transaction", postings, wait)
        return [
            _known_by_its_own_id(draft, event_id, posting, outcome)
            for (event_id, draft), posting, outcome in zip(drafts, postings, outcomes, strict=True)
        ]

    def _recorded(
        self,
        draft: TransactionDraft,
        enricher: OwnEnricher,
        *,
        workspace_id: UUID,
        event_id: UUID | None,
        transaction_id: UUID | None = None,
        at: str = "",
        **by: Any,
    ) -> Posting:
        if draft.external_id is not None:
            transaction_id = transaction_id or derived_id(workspace_id, "external_id", draft.external_id)
            event_id = event_id or derived_id(transaction_id, "recorded")
        event_id = event_id or new_id()
        transaction_id = transaction_id or derived_id(workspace_id, "transaction", event_id)
        ids = {"workspace_id": workspace_id, "transaction_id": transaction_id, "event_id": event_id}
        event = recorded(draft, enricher, **ids, **by)
        naming = frozenset(name for name in NAMING if getattr(draft, name))
        return Posting(event, draft.left_open, naming, at, own_id=draft.external_id)

    def amend(
        self, workspace_id: UUID, transaction_id: UUID, changes: Mapping[str, Any], **change: Unpack[Change]
    ) -> Answer:
        """Change fields of a transaction that is still at the expected version; `stale` when it is not.

        Raises:
            NotFound: the workspace has no such transaction.
            Refused: it is voided, a field cannot be changed, the result breaks a rule, or what is changed names an
                account, a category or a transaction that the workspace has not.
            KafkaUnavailable: see `append`.
        """
        after = self._deciding(amended, workspace_id, changes)
        return self.change(TRANSACTION, workspace_id, transaction_id, after, naming=NAMING & changes.keys(), **change)

    def correct(
        self, workspace_id: UUID, transaction_id: UUID, changes: Mapping[str, Any], **change: Unpack[Change]
    ) -> Answer:
        """As `amend`, and of a voided transaction too, which stays void. Errors as of `amend`."""
        after = self._deciding(corrected, workspace_id, changes)
        return self.change(TRANSACTION, workspace_id, transaction_id, after, naming=NAMING & changes.keys(), **change)

    def void(self, workspace_id: UUID, transaction_id: UUID, **change: Unpack[Change]) -> Answer:
        """Take a transaction back: it stays in the history and counts no more. Errors as of `amend`."""
        return self.change(TRANSACTION, workspace_id, transaction_id, voided, **change)

    def restore(
        self, workspace_id: UUID, transaction_id: UUID, *, to_version: int | None = None, **change: Unpack[Change]
    ) -> Answer:
        """Bring a voided transaction back as it was; with `to_version`, any one to what it was then.

        Raises:
            NotFound, Refused, KafkaUnavailable: as of `amend`; NotFound also where it has no such version.
        """
        if to_version is None:
            return self.change(TRANSACTION, workspace_id, transaction_id, restored, **change)
        with self._session(workspace_id, WRITERS) as connection:
            earlier = transactions_at(connection, {transaction_id: to_version}).get(transaction_id)
        if earlier is None:
            raise NotFound(transaction_id, to_version)
        return self.change(TRANSACTION, workspace_id, transaction_id, partial(returned, earlier=earlier), **change)

    def change(
        self,
        thing: Thing,
        workspace_id: UUID,
        entity_id: UUID,
        after: Callable[..., Event],
        *,
        expected_version: int,
        actor_id: UUID,
        source: str,
        event_id: UUID | None = None,
        wait: float = _WAIT,
        naming: frozenset[str] = frozenset(),
    ) -> Answer:
        """Append the next version of a thing that is still at the expected version; `stale` when it is not.

        Args:
            after: called with the current state, and by name with who and how; returns the event.
            naming: fields in which the caller names other things, that have to be there.

        Raises:
            NotFound, Refused, KafkaUnavailable: as of `amend`, and what `after` raises.
        """
        with self._session(workspace_id, _needed(thing.entity)) as connection:
            known = first_sights(connection, workspace_id, [event_id]) if event_id else {}
            for first in known.get(event_id, ()):
                if first.entity_id == entity_id:
                    return answer_of(first)
            current = thing.current(connection, entity_id)
            if current is None:
                raise NotFound(entity_id, entity=thing.entity)
            if current["version"] != expected_version:
                newest, *place = thing.place(connection, entity_id)
                return Answer("stale", newest, entity_id, place[0], thing.topic, *place[1:])
            event = after(current, actor_id=actor_id, source=source, event_id=event_id or new_id())
            posting = Posting(event, naming=named_anew(current, event, naming))
            return _only(self._settled(connection, thing.topic, [posting], wait))

    def _settled(
        self, connection: psycopg.Connection, topic: str, postings: Sequence[Posting], wait: float
    ) -> list[Answer | Refused]:
        """Append events of the session's workspace together."""
        return self._appender.settled(connection, topic, postings, self._appender.values(topic, postings), wait)

    def _own_enricher(self, connection: psycopg.Connection) -> OwnEnricher:
        """What decides for the session's workspace."""
        return OwnEnricher(self._enricher(), choices.categories(connection))

    def _deciding(
        self, after: Callable[..., Event], workspace_id: UUID, changes: Mapping[str, Any]
    ) -> Callable[..., Event]:
        """`after`, with the changes and what decides where they say something else of the merchant."""
        if changes.keys().isdisjoint(("description", "mcc")):
            return partial(after, changes=changes, enricher=self._enricher())
        with self._session(workspace_id, WRITERS) as connection:
            return partial(after, changes=changes, enricher=self._own_enricher(connection))

    def _allowed(self) -> Callable[[str, Event], bytes]:
        """`encoded`, of what whom the ledger works for may append: asked once for each workspace and kind of thing."""
        if self._user_id is None:
            return self.encoded

        @cache
        def must_be(workspace_id: UUID, roles: tuple[str, ...]) -> None:
            with self._session(workspace_id, roles):
                pass

        def encoded(topic: str, event: Event) -> bytes:
            must_be(event["workspace_id"] or NIL, _needed(event.get("entity")))
            return self.encoded(topic, event)

        return encoded

    def encoded(self, topic: str, event: Event) -> bytes:
        """The event's bytes; refuses what does not fit the contract or breaks a rule, before anything is sent.

        Raises:
            Refused: see there. KafkaUnavailable: the schema cannot be read.
        """
        return self._appender.encoded(topic, event)

    def deliver(self, topic: str, messages: Sequence[Message]) -> list[Delivery]:
        """Append events that were encoded and judged before; returns their places in the log.

        Raises:
            KafkaUnavailable: see `append`.
        """
        return self._line.deliver(topic, messages)

    def await_level(self, topic: str, connection: psycopg.Connection, *, seconds: float) -> None:
        """Wait until live has read what is in the log now: only then is what it says the newest.

        Raises:
            LiveStalled: it has not within `seconds`. KafkaUnavailable: nobody knows what is in the log.
        """
        ends = self._line.ends(topic)
        if behind(await_live(connection, topic, ends, seconds=seconds), ends):
            raise LiveStalled("the live view is behind the log: try again in a moment, or see `outlay status`")

    @contextmanager
    def _session(self, workspace_id: UUID, roles: Sequence[str]) -> Iterator[psycopg.Connection]:
        """A session of whom the ledger works for.

        Raises:
            NotAllowed: they have none of these roles in the workspace.
        """
        role = "operator" if self._user_id is None else "app"
        whose = {"workspace_id": workspace_id, "user_id": self._user_id}
        with session(role, **whose, autocommit=True, using=self._settings) as connection:
            if self._user_id is not None:
                (found,) = connection.execute("SELECT live.my_role()").fetchone()
                if found not in roles:
                    raise NotAllowed(f"your role in this workspace is {found or 'none'}, which may not change it")
            yield connection


def _needed(entity: str | None) -> tuple[str, ...]:
    """The roles of those who may change such a thing."""
    return OWNERS if entity in ("workspace", "membership") else WRITERS


def _only(outcomes: Sequence[Answer | Refused]) -> Answer:
    [outcome] = outcomes
    if isinstance(outcome, Refused):
        raise outcome
    return outcome


def _known_by_its_own_id(
    draft: TransactionDraft, event_id: UUID | None, posting: Posting, outcome: Answer | Refused
) -> Answer | Refused:
    """The outcome; Taken where it is that another transaction has the draft's external_id."""
    if draft.external_id is None:
        return outcome
    if isinstance(outcome, Refused):
        taken = event_id is None and outcome.problems[0].rule == EVENT_ID_UNUSED
    else:
        taken = outcome.decision == "stale"
    return Taken(draft.external_id, posting.event["transaction_id"]) if taken else outcome
