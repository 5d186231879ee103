"""The offsets that the files of one partition hold: where they overlap, and where none is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple, Protocol


class Range(Protocol):
    kind: str
    first_offset: int
    last_offset: int


class Gap(NamedTuple):
    """Offsets from `first` to `last`, both included, that no file holds."""

    first: int
    last: int

    def __str__(self) -> str:
        count = self.last - self.first + 1
        return f"offset {self.first}" if count == 1 else f"{count} offsets, {self.first} to {self.last}"


def in_order(files: Iterable[Range]) -> list:
    return sorted(files, key=lambda file: (file.first_offset, file.last_offset, file.kind))


def gaps(files: Iterable[Range], *, upto: int) -> Iterator[Gap]:
    """What no file of the partition holds, from its start up to, and without, the offset `upto`."""
    reached = 0
    for file in in_order(files):
        if file.first_offset > reached:
            yield Gap(reached, file.first_offset - 1)
        reached = max(reached, file.last_offset + 1)
    if reached < upto:
        yield Gap(reached, upto - 1)


def overlaps(files: Iterable[Range]) -> Iterator[tuple]:
    """Pairs of neighbours of one kind that hold the same offsets. Events and unreadable ones lie between each other."""
    ordered = in_order(files)
    for kind in ("events", "unreadable"):
        for one, other in pairwise(file for file in ordered if file.kind == kind):
            if other.first_offset <= one.last_offset:
                yield one, other


def end(files: Iterable[Range]) -> int:
    """The offset after the last one of the files."""
    return max((file.last_offset + 1 for file in files), default=0)
