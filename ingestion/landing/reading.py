"""Reading bronze: only whole files, whose bytes are those that the manifest vouches for."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import Any

import fastavro

from ingestion.landing import store
from ingestion.landing.errors import CorruptedFile
from ingestion.landing.manifest import BronzeFile


def verify(lake: str, file: BronzeFile) -> None:
    """Compare a file's bytes with the manifest.

    Raises:
        CorruptedFile: it is missing, or its size or SHA-256 differs.
        LakeUnavailable: the lake does not answer, or refuses.
    """
    content(lake, file)


def read_file(lake: str, file: BronzeFile) -> Iterator[dict[str, Any]]:
    """The rows of a file: the envelope's fields (``_topic``, ``_offset``, ...) and ``value``, the event as written.

    Raises what `verify` raises.
    """
    yield from fastavro.reader(io.BytesIO(content(lake, file)))


def content(lake: str, file: BronzeFile) -> bytes:
    """A file's bytes, which are the manifest's. Raises what `verify` raises."""
    try:
        found = store.read(lake, file.path)
    except FileNotFoundError:
        what = "no file"
    else:
        sha256 = hashlib.sha256(found).hexdigest()
        if (len(found), sha256) == (file.bytes, file.sha256):
            return found
        what = f"{len(found)} bytes with SHA-256 {sha256}"
    raise CorruptedFile(
        f"bronze file {store.shown(lake)}/{file.path}: expected {file.bytes} bytes with SHA-256 {file.sha256}, found"
        f" {what}. Put the file back from a backup; nothing else is touched. It holds topic {file.topic}, partition"
        f" {file.partition}, offsets {file.first_offset} to {file.last_offset}"
    )
