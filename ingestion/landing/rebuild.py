"""The manifest made again from the files in the lake."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import psycopg

from ingestion.landing import manifest, ranges, store
from ingestion.landing.contents import NotWhole, examine
from ingestion.landing.errors import RebuildRefused
from ingestion.landing.manifest import BronzeFile, Partition
from ingestion.landing.naming import ROOT, Place, place_of


@dataclass
class Rebuilt:
    """What a rebuild changed, or would change. Paths are below the lake's root.

    `left_out` maps a file that the manifest does not name afterwards to the reason; `offsets` maps a partition to
    bronze.offsets before and after (None: no row), where they differ; `gaps` names offsets that no file holds.
    """

    files: int = 0
    rows: int = 0
    added: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    offsets: dict[Partition, tuple[int | None, int | None]] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.added or self.corrected or self.dropped or self.offsets)

    def as_json(self) -> dict[str, Any]:
        moved = [{**p._asdict(), "before": b, "after": a} for p, (b, a) in self.offsets.items()]
        return {**vars(self), "offsets": moved, "changed": self.changed}


@dataclass(frozen=True)
class _Found:
    """A whole file of the lake, as the manifest's row of it has to be."""

    file: BronzeFile
    logged_at: datetime


def rebuild(
    connection: psycopg.Connection,
    lake: str,
    *,
    dry_run: bool = False,
    on_file: Callable[[int, int], None] = lambda done, total: None,
) -> Rebuilt:
    """Make bronze.files and bronze.offsets again from the files, in one transaction while no landing runs.

    Files that the manifest names keep their ids. A landing goes on where the files end afterwards. Changes nothing
    where the manifest agrees already. Files that are not whole, or that were stored by a landing which did not get to
    name them and cannot be told complete, are left out: the next landing writes them again.

    Args:
        connection: with the rights of ``outlay_pipeline``, in autocommit.
        lake: the lake's root, a folder or an fsspec URL.
        dry_run: change nothing, and say what would be changed.
        on_file: told after each file how many are done, and of how many.

    Raises:
        RebuildRefused: two files hold the same offsets; or a file that the manifest names is missing or has other
            bytes, and a landing would not write it again.
        LakeUnavailable: the lake does not answer, or refuses.
        LandingError: a landing has been running for ten minutes.
    """
    with manifest.turn(connection), connection.transaction():
        connection.execute("LOCK TABLE bronze.files, bronze.offsets IN SHARE ROW EXCLUSIVE MODE")
        known = {file.path: file for file in manifest.all_files(connection)}
        stands = manifest.all_offsets(connection)
        done = Rebuilt()
        found = _scan(lake, done, on_file)
        lost = [file for path, file in known.items() if path not in found or not _same_bytes(file, found[path].file)]
        for file in lost:
            if found.pop(file.path, None):
                done.left_out[file.path] = "its bytes are not those that the manifest vouches for"
        _refuse_losses(lost, found, _used(connection))
        kept = _chosen(found, known, stands, done)
        _compare(kept, known, stands, done)
        if done.changed and not dry_run:
            _write(connection, kept, known, done)
    return done


def _scan(lake: str, done: Rebuilt, on_file: Callable[[int, int], None]) -> dict[str, _Found]:
    """Every whole bronze file of the lake, by path."""
    found: dict[str, _Found] = {}
    paths = store.listing(lake, ROOT)
    for number, path in enumerate(paths, start=1):
        place = place_of(path)
        if place is None:
            done.left_out[path] = "it has no name that a landing gives"
        else:
            try:
                found[path] = _read(lake, place)
            except FileNotFoundError:
                done.left_out[path] = "it went away meanwhile"
            except NotWhole as error:
                done.left_out[path] = f"it is not whole: {error}"
        on_file(number, len(paths))
    return found


def _read(lake: str, place: Place) -> _Found:
    content = store.read(lake, place.path)
    contents = examine(content, place.kind)
    for name in ("topic", "partition", "first_offset", "last_offset"):
        said, held = getattr(place, name), getattr(contents, name)
        if said != held:
            raise NotWhole(f"its name says {name} {said}, its rows say {held}")
    sha256 = hashlib.sha256(content).hexdigest()
    return _Found(BronzeFile.of(place, contents.schema_id, contents.rows, len(content), sha256), contents.logged_at)


def _same_bytes(file: BronzeFile, other: BronzeFile) -> bool:
    return (file.bytes, file.sha256) == (other.bytes, other.sha256)


def _used(connection: psycopg.Connection) -> set[int]:
    """The ids of files that silver was made of, or is being made of."""
    rows = connection.execute("SELECT file_id FROM silver.batch_files UNION SELECT unnest(file_ids) FROM silver.staged")
    return {file_id for (file_id,) in rows}


def _refuse_losses(lost: list[BronzeFile], found: dict[str, _Found], used: set[int]) -> None:
    """A file that is gone may leave the manifest only where the next landing writes it again: at the log's end."""
    ends = {partition: ranges.end(files) for partition, files in _partitions(found.values()).items()}
    for file in lost:
        in_silver = file.file_id in used
        if in_silver or ends.get(_partition(file), 0) > file.first_offset:
            why = "silver was made of it" if in_silver else "files with later offsets are there, so no landing will"
            raise RebuildRefused(
                f"{file.path}: the manifest names it with SHA-256 {file.sha256}, and it is missing or has other bytes;"
                f" {why}{'' if in_silver else ' write it again'}. Put it back from a backup, then rebuild. To give up"
                f" its {file.rows} rows, delete row {file.file_id} of bronze.files first"
            )


def _chosen(
    found: dict[str, _Found], known: dict[str, BronzeFile], stands: dict[Partition, int], done: Rebuilt
) -> list[_Found]:
    """The files that the manifest is to name.

    Raises:
        RebuildRefused: two of them hold the same offsets, and the manifest does not say which one counts.
    """
    chosen: list[_Found] = []
    for partition, each in _partitions(found.values()).items():
        files = [file for file in each if file.path in known]
        vouched = list(files)
        for file in each:
            if file.path in known:
                continue
            rival = next((other for other in vouched if _overlap(file, other)), None)
            if rival is None:
                files.append(file)
            else:
                done.left_out[file.path] = f"it holds the same offsets as {rival.path}, which the manifest names"
        for one, other in ranges.overlaps(files):
            raise RebuildRefused(
                f"{one.path} and {other.path} hold the same offsets from {other.first_offset} on, and only one of them"
                " was landed: move the one with fewer offsets out of the lake (an interrupted landing leaves such a"
                " file), then rebuild"
            )
        files = _without_half_a_group(files, known, stands.get(partition, 0), done)
        chosen += [found[file.path] for file in files]
    return chosen


def _overlap(one: BronzeFile, other: BronzeFile) -> bool:
    return one.kind == other.kind and one.first_offset <= other.last_offset and other.first_offset <= one.last_offset


def _without_half_a_group(
    files: list[BronzeFile], known: dict[str, BronzeFile], stands: int, done: Rebuilt
) -> list[BronzeFile]:
    """Leave out files at the end which a landing stored that may have died before it stored the rest.

    A landing stores events and unreadable events of the same offsets as two files. Where it dies between them, the one
    that is there has holes, or stands after a hole; named alone, it would take the offset past the events of the other.
    """
    if not files:
        return files
    *before, last = _groups(files)
    if any(file.path in known for file in last) or ranges.end(last) <= stands:
        return files
    reached = ranges.end(file for group in before for file in group)
    if reached == last[0].first_offset and sum(file.rows for file in last) == ranges.end(last) - reached:
        return files
    for file in last:
        done.left_out[file.path] = "its landing may have died before it stored the rest of the same offsets"
    return [file for group in before for file in group]


def _groups(files: Iterable[BronzeFile]) -> list[list[BronzeFile]]:
    """Files of both kinds whose offsets lie between each other, together."""
    groups: list[list[BronzeFile]] = []
    for file in ranges.in_order(files):
        if groups and file.first_offset < ranges.end(groups[-1]):
            groups[-1].append(file)
        else:
            groups.append([file])
    return groups


def _compare(kept: list[_Found], known: dict[str, BronzeFile], stands: dict[Partition, int], done: Rebuilt) -> None:
    """Fill in what differs from the manifest."""
    paths = {each.file.path for each in kept}
    done.files, done.rows = len(kept), sum(each.file.rows for each in kept)
    done.dropped = [path for path in known if path not in paths]
    for each in kept:
        now = known.get(each.file.path)
        if now is None:
            done.added.append(each.file.path)
        elif now != replace(each.file, file_id=now.file_id):
            done.corrected.append(each.file.path)
    partitions = _partitions(kept)
    for partition in sorted(partitions.keys() | stands.keys()):
        files = partitions.get(partition, [])
        before, after = stands.get(partition), ranges.end(files) or None
        if before != after:
            done.offsets[partition] = (before, after)
        done.gaps += [f"{partition}: {gap}" for gap in ranges.gaps(files, upto=0)]


def _write(connection: psycopg.Connection, kept: list[_Found], known: dict[str, BronzeFile], done: Rebuilt) -> None:
    connection.execute("DELETE FROM bronze.files WHERE path = ANY(%s)", (done.dropped,))
    corrected = set(done.corrected)
    for each in kept:
        if each.file.path in corrected:
            connection.execute(
                "UPDATE bronze.files SET topic = %(topic)s, topic_id = %(topic_id)s, partition = %(partition)s,"
                " first_offset = %(first_offset)s, last_offset = %(last_offset)s, kind = %(kind)s,"
                " schema_id = %(schema_id)s, ingest_date = %(ingest_date)s, rows = %(rows)s WHERE path = %(path)s",
                vars(each.file),
            )
    manifest.name(connection, [each.file for each in _as_landed(kept) if each.file.path not in known])
    for partition, (_, after) in done.offsets.items():
        connection.execute(
            "DELETE FROM bronze.offsets WHERE topic = %s AND topic_id = %s AND partition = %s", partition
        )
        if after is not None:
            connection.execute(
                "INSERT INTO bronze.offsets (topic, topic_id, partition, next_offset) VALUES (%s, %s, %s, %s)",
                (*partition, after),
            )


def _as_landed(kept: list[_Found]) -> list[_Found]:
    """In an order in which they may have landed: older logs of a topic first, each partition by offset."""
    began: dict[str, datetime] = {}
    for each in kept:
        began[each.file.topic_id] = min(each.logged_at, began.get(each.file.topic_id, each.logged_at))
    return sorted(
        kept,
        key=lambda each: (
            *(began[each.file.topic_id], each.file.topic, each.file.partition),
            *(each.file.first_offset, each.file.kind),
        ),
    )


def _partitions(found: Iterable[_Found]) -> dict[Partition, list[BronzeFile]]:
    grouped: defaultdict[Partition, list[BronzeFile]] = defaultdict(list)
    for each in found:
        grouped[_partition(each.file)].append(each.file)
    return grouped


def _partition(file: BronzeFile) -> Partition:
    return Partition(file.topic, file.topic_id, file.partition)
