"""Reading bronze: only whole files, whose bytes are those that the manifest vouches for."""

from __future__ import annotations

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
    """
    try:
        size, sha256 = store.sha256(lake, file.path)
    except FileNotFoundError:
        found = "no file"
    else:
        if (size, sha256) == (file.bytes, file.sha256):
            return
        found = f"{size} bytes with SHA-256 {sha256}"
    raise CorruptedFile(
        f"bronze file {lake}/{file.path}: expected {file.bytes} bytes with SHA-256 {file.sha256}, found {found}."
        f" Put the file back from a backup; nothing else is touched. It holds topic {file.topic}, partition"
        f" {file.partition}, offsets {file.first_offset} to {file.last_offset}"
    )


def read_file(lake: str, file: BronzeFile) -> Iterator[dict[str, Any]]:
    """The rows of a file: the envelope's fields (``_topic``, ``_offset``, ...) and ``value``, the event as written.

    Raises:
        CorruptedFile: the file is missing, or its bytes are not the manifest's.
    """
    verify(lake, file)
    fs, path = store.locate(lake, file.path)
    with fs.open(path, "rb") as content:
        yield from fastavro.reader(content)
