"""The path of a bronze file: it says the kind, the topic, its id, the day, the partition and the offsets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

ROOT = "bronze"
_UNREADABLE = "unreadable"
_NAME = re.compile(
    rf"{ROOT}/(?P<unreadable>{_UNREADABLE}/)?(?P<topic>[^/]+)/(?P<folder>[^/]+)/ingest_date=(?P<day>\d{{4}}-\d\d-\d\d)"
    r"/(?P<partition>\d+)\+(?P<first>\d+)-(?P<last>\d+)\.avro"
)


@dataclass(frozen=True)
class Place:
    """What a path says of its file. `kind` is ``events`` or ``unreadable``, `ingest_date` is in UTC."""

    topic: str
    topic_id: str
    kind: str
    ingest_date: date
    partition: int
    first_offset: int
    last_offset: int

    @property
    def path(self) -> str:
        """Below the lake's root."""
        kind = f"{_UNREADABLE}/" if self.kind == "unreadable" else ""
        name = f"{self.partition}+{self.first_offset}-{self.last_offset}.avro"
        return f"{ROOT}/{kind}{self.topic}/{folder_of(self.topic_id)}/ingest_date={self.ingest_date}/{name}"


def place_of(path: str) -> Place | None:
    """What a path says; None for one that landing does not write."""
    found = _NAME.fullmatch(path)
    if found is None:
        return None
    try:
        day = date.fromisoformat(found["day"])
    except ValueError:
        return None
    kind = "unreadable" if found["unreadable"] else "events"
    first, last = int(found["first"]), int(found["last"])
    place = Place(found["topic"], topic_id_of(found["folder"]), kind, day, int(found["partition"]), first, last)
    return place if first <= last and place.path == path else None


def folder_of(topic_id: str) -> str:
    """The folder of a topic's id: base64 with the two signs that a path can hold, so that it can be read back."""
    return topic_id.replace("+", "-").replace("/", "_")


def topic_id_of(folder: str) -> str:
    return folder.replace("-", "+").replace("_", "/")
