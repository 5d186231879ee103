"""Appending many events: streamed, with a bounded number on the way, each one acknowledged and decided at the end."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any
from uuid import UUID

from confluent_kafka import KafkaException

from ingestion.events import NIL
from ingestion.producer import Delivery, EventProducer
from outlay.ledger.decisions import behind, decisions, positions
from outlay.ledger.errors import AppendStopped, LiveStalled
from outlay.ledger.reading import Reader

Event = dict[str, Any]

_CHUNK = 2_000  # events looked up and sent together
_ON_THE_WAY = 20_000  # events sent and not yet decided; more would only fill memory
_PAUSE = 0.02  # seconds
_STALLED = 60  # seconds without any progress of live


@dataclass(frozen=True)
class Progress:
    """How far an append is: events sent, events decided, and events that live knew already."""

    appended: int
    decided: int
    already_there: int


@dataclass(frozen=True)
class Appended:
    """What an append did. `inserted` were accepted; `already_there` were known before or came twice; `stale` lost to a
    higher version of the same thing."""

    inserted: int
    already_there: int
    stale: int = 0


class _Chunk:
    """Events sent together: what Kafka said of them so far. `report` is called by the producer's thread."""

    def __init__(self, ids: set[tuple[UUID, UUID]]):
        self.ids = ids
        self.acknowledged = 0
        self.error: str | None = None
        self.ends: dict[int, int] = {}

    def report(self, delivery: Delivery) -> None:
        if delivery.error is not None:
            self.error = delivery.error
            return
        self.ends[delivery.partition] = max(self.ends.get(delivery.partition, 0), delivery.offset + 1)
        self.acknowledged += 1


class BulkAppend:
    """One run over one topic. Not for several threads. `judged` encodes an event or refuses it."""

    def __init__(
        self,
        topic: str,
        producer: EventProducer,
        reader: Reader,
        judged: Callable[[str, Event], bytes],
        on_progress: Callable[[Progress], None] | None,
    ):
        self._topic, self._producer, self._reader, self._judged = topic, producer, reader, judged
        self._tell = on_progress or (lambda _: None)
        self._on_the_way: deque[_Chunk] = deque()
        self._sent = self._decided = self._already_there = self._inserted = self._stale = 0
        self._moved = time.monotonic()
        self._seen: dict[int, int] = {}

    def await_caught_up(self, ends: dict[int, int]) -> None:
        """Wait until live has read the log up to `ends`: only then does it know every event that is there.

        Raises:
            LiveStalled: live does not move.
        """
        while behind(self._live(), ends):
            time.sleep(_PAUSE)

    def run(self, events: Iterable[Event]) -> Appended:
        """Append what live does not know; returns when every event is decided.

        Raises:
            AppendStopped: Kafka did not take an event; says how many it has.
            LiveStalled: live does not move.
        """
        for chunk in _chunks(events, _CHUNK):
            self._append(chunk)
            self._settle(at_most=_ON_THE_WAY)
        self._settle(at_most=0)
        return Appended(self._inserted, self._already_there, self._stale)

    def _append(self, events: list[Event]) -> None:
        fresh = self._unknown(events)
        self._already_there += len(events) - len(fresh)
        if fresh:
            chunk = _Chunk(set(fresh))
            self._on_the_way.append(chunk)
            for event in fresh.values():
                value = self._judged(self._topic, event)
                try:
                    self._producer.send_encoded(self._topic, event, value, chunk.report)
                except KafkaException as error:
                    raise self._stopped(error.args[0].str()) from error
                self._sent += 1
        self._tell(Progress(self._sent, self._decided, self._already_there))

    def _unknown(self, events: list[Event]) -> dict[tuple[UUID, UUID], Event]:
        """The events that are neither in live nor on the way, each once."""
        wanted = {(event["workspace_id"] or NIL, event["event_id"]): event for event in events}
        for chunk in self._on_the_way:
            for identity in chunk.ids & wanted.keys():
                del wanted[identity]
        for identity in self._decisions(wanted):
            del wanted[identity]
        return wanted

    def _settle(self, *, at_most: int) -> None:
        """Let the decided chunks go, and wait until at most that many events are on the way."""
        while self._on_the_way:
            if self._let_go():
                continue
            if sum(len(chunk.ids) for chunk in self._on_the_way) <= at_most:
                return
            time.sleep(_PAUSE)

    def _let_go(self) -> bool:
        """Whether all of the oldest chunk was acknowledged and decided, and so is no longer on the way."""
        for chunk in self._on_the_way:
            if chunk.error is not None:
                raise self._stopped(chunk.error)
        oldest = self._on_the_way[0]
        if oldest.acknowledged < len(oldest.ids) or behind(self._live(), oldest.ends):
            return False
        self._on_the_way.popleft()
        decided = list(self._decisions(oldest.ids).values())
        self._inserted += decided.count("accepted")
        self._stale += decided.count("stale")
        if len(decided) < len(oldest.ids):
            raise AppendStopped(
                f"live could not hold {len(oldest.ids) - len(decided)} events: see the dead letters of {self._topic}"
            )
        self._decided += len(decided)
        self._tell(Progress(self._sent, self._decided, self._already_there))
        return True

    def _stopped(self, error: str) -> AppendStopped:
        self._producer.flush(_STALLED)
        there = self._decided + sum(chunk.acknowledged for chunk in self._on_the_way)
        return AppendStopped(
            f"Kafka acknowledged {there} of the {self._sent} events sent, then failed: {error}. "
            "Run it again when `outlay status` shows Kafka ready: what is there is not added twice"
        )

    def _decisions(self, identities: Iterable[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], str]:
        by_workspace: dict[UUID, list[UUID]] = defaultdict(list)
        for workspace_id, event_id in identities:
            by_workspace[workspace_id].append(event_id)
        found: dict[tuple[UUID, UUID], str] = {}
        for workspace_id, event_ids in by_workspace.items():
            known = self._reader.ask(partial(decisions, workspace_id=workspace_id, event_ids=event_ids))
            found.update({(workspace_id, event_id): decision for event_id, decision in known.items()})
        return found

    def _live(self) -> dict[int, int]:
        """Where live stands.

        Raises:
            LiveStalled: it has stood there for a minute.
        """
        now, live = time.monotonic(), self._reader.ask(partial(positions, topic=self._topic))
        if live != self._seen:
            self._seen, self._moved = live, now
        elif now - self._moved > _STALLED:
            raise LiveStalled(
                f"live has not moved for {_STALLED} s: see `outlay logs live`. What was sent is safe; run it again"
            )
        return live


def _chunks(events: Iterable[Event], size: int) -> Iterator[list[Event]]:
    iterator = iter(events)
    while chunk := list(islice(iterator, size)):
        yield chunk
