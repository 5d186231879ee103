"""The acceptance rule, as a pure function: the reference that the projector, silver and dbt are tested against."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Decision = Literal["accepted", "duplicate", "stale"]


class Sight(NamedTuple):
    """What the rule looks at in an event, and nothing else."""

    event_id: Hashable
    entity_id: Hashable
    version: int


@dataclass
class Seen:
    """What is known of each thing so far: hand the same object in again to go on where the last batch ended."""

    event_ids: set[tuple[Hashable, Hashable]] = field(default_factory=set)
    highest: dict[Hashable, int] = field(default_factory=dict)


def decide(events: Iterable[Sight], seen: Seen | None = None) -> list[Decision]:
    """The decision on each event, in the order of the log (partition, offset).

    An event of a thing is a `duplicate` if its event_id was seen before for that thing, whatever was decided then and
    whatever its version now; else `stale` if its version is not above the highest version seen before for that thing,
    duplicates not counted; else `accepted`. Cutting the log into batches anywhere gives the same decisions.
    """
    seen = Seen() if seen is None else seen
    return [_decide(event, seen) for event in events]


def _decide(event: Sight, seen: Seen) -> Decision:
    identity = (event.entity_id, event.event_id)
    if identity in seen.event_ids:
        return "duplicate"
    seen.event_ids.add(identity)
    highest = seen.highest.get(event.entity_id)
    if highest is not None and event.version <= highest:
        return "stale"
    seen.highest[event.entity_id] = event.version
    return "accepted"
