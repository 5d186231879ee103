"""The manifest held against the lake: every file read, every offset accounted for."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import psycopg
from psycopg import IsolationLevel

from ingestion.landing import manifest, ranges, store
from ingestion.landing.contents import NotWhole, examine
from ingestion.landing.errors import LandingError, LogUnavailable, OffsetsGone
from ingestion.landing.log import Log
from ingestion.landing.manifest import BronzeFile, Partition
from ingestion.landing.naming import ROOT, place_of

Problem = Literal["missing", "damaged", "contents", "orphan", "gap", "overlap", "offset"]

_REBUILD = "run `outlay bronze rebuild-manifest`"


@dataclass(frozen=True)
class Finding:
    """Something that does not agree. `message` names it and says what to do; `bytes` is the file's size in the lake."""

    problem: Problem
    message: str
    topic: str | None = None
    partition: int | None = None
    path: str | None = None
    bytes: int | None = None

    @property
    def wrong(self) -> bool:
        """Whether bronze is not what it should be. A file that nobody names harms nobody."""
        return self.problem != "orphan"


@dataclass
class Audit:
    """What was looked at (files of the manifest, their rows and bytes), and what was found."""

    files: int = 0
    rows: int = 0
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not any(finding.wrong for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        findings = [asdict(finding) | {"wrong": finding.wrong} for finding in self.findings]
        return {"good": self.good, "files": self.files, "rows": self.rows, "bytes": self.bytes, "findings": findings}


def audit(
    connection: psycopg.Connection,
    lake: str,
    *,
    bootstrap: str,
    topics: Sequence[str] | None = None,
    on_file: Callable[[int, int], None] = lambda done, total: None,
) -> Audit:
    """Compare the manifest with the lake. Reads every file that the manifest names, one at a time, and changes nothing.

    Offsets that no file holds are looked up in Kafka, and only those: a transaction's marker takes an offset and is no
    event. Safe beside a landing.

    Args:
        connection: with the rights of ``outlay_pipeline``, in no transaction.
        lake: the lake's root, a folder or an fsspec URL.
        bootstrap: Kafka's bootstrap servers.
        topics: these alone; None for all.
        on_file: told after each file how many are done, and of how many.

    Raises:
        LakeUnavailable: the lake does not answer, or refuses.
    """
    in_lake = store.listing(lake, ROOT)  # before the manifest, or what lands meanwhile would look like an orphan
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    with connection.transaction():
        files, stands = manifest.all_files(connection, topics), manifest.all_offsets(connection, topics)
    found = Audit(files=len(files), rows=sum(f.rows for f in files), bytes=sum(f.bytes for f in files))
    for number, file in enumerate(files, start=1):
        found.findings += _of_file(lake, file)
        on_file(number, len(files))
    with Log(bootstrap) as log:
        for partition, its_files in _by_partition(files, stands).items():
            found.findings += _of_partition(partition, its_files, stands.get(partition), log)
    found.findings += _orphans(in_lake, {file.path for file in files}, topics)
    return found


def _of_file(lake: str, file: BronzeFile) -> Iterator[Finding]:
    where = {"topic": file.topic, "partition": file.partition, "path": file.path}
    restore = (
        f"put it back from a backup (it holds offsets {file.first_offset} to {file.last_offset} of {file.topic}"
        f" partition {file.partition}), or {_REBUILD}, which says what else can be done"
    )
    try:
        content = store.read(lake, file.path)
    except FileNotFoundError:
        yield Finding("missing", f"{file.path} is not in the lake: {restore}", **where)
        return
    where["bytes"] = len(content)
    sha256 = hashlib.sha256(content).hexdigest()
    if (len(content), sha256) != (file.bytes, file.sha256):
        yield Finding(
            "damaged",
            f"{file.path}: expected {file.bytes} bytes with SHA-256 {file.sha256}, found {len(content)} with {sha256}:"
            f" {restore}",
            **where,
        )
        return
    try:
        contents = examine(content, file.kind)
    except NotWhole as error:
        yield Finding("contents", f"{file.path} has the manifest's SHA-256, but {error}: {restore}", **where)
        return
    for name in ("topic", "partition", "first_offset", "last_offset", "rows", "schema_id"):
        said, held = getattr(file, name), getattr(contents, name)
        if said != held:
            message = f"{file.path}: the manifest says {name} {said}, the file holds {held}: {_REBUILD}"
            yield Finding("contents", message, **where)


def _by_partition(files: list[BronzeFile], stands: dict[Partition, int]) -> dict[Partition, list[BronzeFile]]:
    grouped: defaultdict[Partition, list[BronzeFile]] = defaultdict(list)
    for partition in stands:
        grouped[partition] = []
    for file in files:
        grouped[Partition(file.topic, file.topic_id, file.partition)].append(file)
    return dict(sorted(grouped.items()))


def _of_partition(partition: Partition, files: list[BronzeFile], stands: int | None, log: Log) -> Iterator[Finding]:
    where = {"topic": partition.topic, "partition": partition.partition}
    for one, other in ranges.overlaps(files):
        yield Finding(
            "overlap",
            f"{one.path} and {other.path} hold the same offsets from {other.first_offset} on: remove from bronze.files"
            " the one that silver has not used (silver.batch_files)",
            **where,
            path=other.path,
        )
    reached = ranges.end(files)
    if stands is None or stands < reached:
        said = "has no row" if stands is None else f"says {stands}"
        yield Finding(
            "offset",
            f"{partition}: its files end before offset {reached}, but bronze.offsets {said}, so that the next landing"
            f" would fail: {_REBUILD}",
            **where,
        )
    for gap in ranges.gaps(files, upto=max(stands or 0, reached)):
        held = _held(partition, gap, log)
        if held:
            yield Finding("gap", f"{partition}: {gap}: landed by bronze.offsets, but in no file; {held}", **where)


def _held(partition: Partition, gap: ranges.Gap, log: Log) -> str | None:
    """What to say of a gap; None if Kafka shows that no event was ever there."""
    advice = f"put the missing file back from a backup, then {_REBUILD}"
    try:
        (topic,) = log.topics([partition.topic])
        if topic.topic_id != partition.topic_id:
            return f"the topic was created again since, so nothing tells whether they were events: {advice}"
        message = next(log.messages(topic, partition.partition, gap.first, gap.last + 1), None)
    except OffsetsGone:
        return f"Kafka no longer holds them all, so nothing tells whether they were events: {advice}"
    except LogUnavailable as error:
        return f"and whether they are events cannot be told: {error}"
    except LandingError:
        return f"the topic is gone, so nothing tells whether they were events: {advice}"
    if message is None:
        return None
    return f"Kafka holds an event at offset {message.offset()}: {advice}"


def _orphans(in_lake: dict[str, int], named: set[str], topics: Sequence[str] | None) -> Iterator[Finding]:
    for path, size in in_lake.items():
        place = place_of(path)
        if path in named or (topics is not None and (place is None or place.topic not in topics)):
            continue
        what = "no name that a landing gives" if place is None else "not in the manifest"
        advice = f"what a landing that was interrupted leaves behind: delete it, or keep it; {_REBUILD} to take it in"
        if place is None:
            yield Finding("orphan", f"{path} ({size} bytes): {what}; nobody reads it", path=path, bytes=size)
        else:
            message = f"{path} ({size} bytes): {what}, {advice}"
            yield Finding("orphan", message, place.topic, place.partition, path, size)
