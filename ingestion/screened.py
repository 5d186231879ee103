"""The values of one topic's messages, together by the schema that they were written with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fastavro import parse_schema

from ingestion import contracts
from ingestion.codec import FRAME, Codec, Unreadable
from ingestion.screening import Screen

_TOGETHER = 2 << 20  # bytes that are screened at once; a screening takes ten times their memory


class Written(NamedTuple):
    """A writer's schema of the topic: `is_ours` when it is the contract's current one."""

    schema_id: int
    screen: Screen
    is_ours: bool


class Screens:
    """Finds the screen of each value of a topic. What has none is left to the decoder, which says why."""

    def __init__(self, codec: Codec, topic: str):
        self._codec, self._topic = codec, topic
        self._known: dict[bytes, Written | None] = {}

    def groups(self, values: Sequence[bytes | None]) -> Iterator[tuple[Written, list[int]]]:
        """Numbers of values that one schema has written, so many that they can be screened at once.

        Raises:
            RegistryUnavailable: a schema is not known yet and the registry does not answer.
        """
        for numbers in _cut(values):
            for frame, of_it in _by_frame(values, numbers).items():
                written = self._written(frame, values[of_it[0]])
                if written is not None:
                    yield written, of_it

    def _written(self, frame: bytes, value: bytes | None) -> Written | None:
        """What values that begin with `frame` were written with; None where they cannot be the topic's events."""
        if frame in self._known:
            return self._known[frame]
        try:
            schema_id = self._codec.schema_id(value)
            registered = self._codec.writer_schema(schema_id)
        except Unreadable:
            return None  # not kept: a schema that is unknown now may be registered later
        ours, schema = contracts.schema(self._topic), parse_schema(registered)
        written = Written(schema_id, Screen(schema, skip=FRAME), registered == ours)
        self._known[frame] = written if schema["name"] == parse_schema(ours)["name"] else None
        return self._known[frame]


def _cut(values: Sequence[bytes | None]) -> Iterator[range]:
    """The numbers of the values, as many of them as can be screened at once."""
    if sum(map(len, filter(None, values))) < _TOGETHER:
        yield range(len(values))
        return
    begin = size = 0
    for number, value in enumerate(values, start=1):
        size += len(value or b"")
        if size >= _TOGETHER or number == len(values):
            yield range(begin, number)
            begin, size = number, 0


def _by_frame(values: Sequence[bytes | None], numbers: range) -> dict[bytes, list[int]]:
    """The numbers by how their values begin; nearly always all begin alike."""
    frames = [value[:FRAME] if value else b"" for value in values[numbers.start : numbers.stop]]
    if frames and frames.count(frames[0]) == len(frames):
        return {frames[0]: list(numbers)}
    found: dict[bytes, list[int]] = {}
    for number, frame in zip(numbers, frames, strict=True):
        found.setdefault(frame, []).append(number)
    return found
