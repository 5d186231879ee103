"""Fresh purchases without end, at a steady rate: what a card feed would send."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import count
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from ingestion import events
from ingestion.enrich import Enricher
from ingestion.events import new_id
from ingestion.producer import Delivery, EventProducer
from ingestion.sources.simulator import topics
from ingestion.sources.simulator.catalogue import HABITS, PRICE_LEVEL, SHOPS
from ingestion.sources.simulator.chance import price
from ingestion.sources.simulator.household import Household, households

Event = dict[str, Any]
_TICK = 0.005  # seconds between two looks at the clock


def streaming_households(seed: int, count: int) -> list[Household]:
    """Households of their own, so that a stream does not stir the simulated past."""
    return [replace(made, name=f"{made.name} (stream)") for made in households(f"stream {seed}", count)]


def purchases(streaming: list[Household], enricher: Enricher, rng: Random) -> Iterator[Event]:
    """Recorded transactions dated now, each with ids of its own; never the same twice, whatever the seed."""
    weights = [habit.a_month for habit in HABITS]
    zones = {household.time_zone: ZoneInfo(household.time_zone) for household in streaming}
    while True:
        for habit in rng.choices(HABITS, weights, k=256):
            household = rng.choice(streaming)
            member = rng.choice(household.members)
            descriptor, mcc = rng.choice(SHOPS[household.region][habit.name])
            description = descriptor.replace("{n}", str(rng.randrange(101, 120) * 7))
            enriched = enricher.enrich(description, mcc=mcc)
            now = datetime.now(UTC)
            local = now.astimezone(zones[household.time_zone]).replace(tzinfo=None)
            yield events.transaction(
                event_id=new_id(),
                workspace_id=household.workspace_id,
                actor_id=member.user_id,
                source="simulator",
                recorded_at=now,
                transaction_id=new_id(),
                kind="expense",
                status="pending",
                account_id=member.card_id,
                occurred_on=local.date(),
                occurred_at_local=local,
                amount=price(rng, habit.typical * PRICE_LEVEL[household.region], habit.spread, household.currency),
                currency=household.currency,
                merchant=enriched.merchant,
                description=description,
                category_id=enriched.category_id,
                category_source=enriched.category_source,
                category_confidence=enriched.category_confidence,
                decided_by=enriched.decided_by,
                mcc=mcc,
            )


def paced(rate: float, stop: threading.Event, duration: float | None = None) -> Iterator[int]:
    """How many events are due, again and again, so that `rate` a second is kept on average; ends with `duration`.

    What could not be sent in time (a full queue, a broker that restarts) becomes due at once afterwards.
    """
    start, sent = time.monotonic(), 0
    while not stop.is_set():
        elapsed = time.monotonic() - start
        over = duration is not None and elapsed >= duration
        due = int(rate * (duration if over else elapsed)) - sent
        if due > 0:
            sent += due
            yield due
        if over:
            return
        stop.wait(_TICK)


@dataclass
class Acknowledged:
    """What Kafka said of the transactions that were sent. Written by the producer's thread alone."""

    sent: int = 0
    acknowledged: int = 0
    failed: int = 0
    totals: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    error: str | None = None
    """Of the last one that failed."""

    def delivered(self, currency: str, amount: Decimal, delivery: Delivery) -> None:
        if delivery.error is None:
            self.acknowledged += 1
            self.totals[currency] += amount
        else:
            self.failed += 1
            self.error = delivery.error


def found(producer: EventProducer, streaming: list[Household]) -> None:
    """Send the households' own events: a transaction must not arrive before its workspace and account."""
    for household in streaming:
        for event in topics.founding(household):
            producer.send("user", event)


def stream(
    producer: EventProducer,
    transactions: Iterator[Event],
    *,
    rate: float,
    duration: float | None,
    stop: threading.Event,
    so_far: Acknowledged,
    on_sent: Callable[[int], None] | None = None,
) -> None:
    """Send at `rate` a second until `duration` seconds are over or `stop` is set; deliveries go into `so_far`."""
    said = count(1)
    for due in paced(rate, stop, duration):
        for _ in range(due):
            if stop.is_set():
                break
            event = next(transactions)
            so_far.sent += 1
            producer.send("transaction", event, partial(so_far.delivered, event["currency"], event["amount"]))
        if on_sent and next(said) % 50 == 0:
            on_sent(so_far.sent)
