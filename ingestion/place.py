"""How people name a message: by its place in the log."""

from __future__ import annotations

import re
from typing import NamedTuple

from ingestion.contracts import TOPICS

_PLACE = re.compile(r"([a-z]+)/([0-9]{1,9})@([0-9]{1,18})")


class NotAPlace(ValueError):
    """The text names no place in the log; one line that says what was expected."""


class Place(NamedTuple):
    """A place in the log, written ``topic/partition@offset``, such as ``transaction/3@42``."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read what `str` writes.

        Raises:
            NotAPlace: it is no place, or no topic of ours.
        """
        found = _PLACE.fullmatch(text)
        if found is None:
            raise NotAPlace(f"expected topic/partition@offset such as transaction/3@42, got {text!r}")
        if found[1] not in TOPICS:
            raise NotAPlace(f"expected a topic out of {', '.join(TOPICS)}; got {found[1]!r} in {text!r}")
        return cls(found[1], int(found[2]), int(found[3]))

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"
