"""How a file is written: compression, encoding, delimiter. Found from its first bytes."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from charset_normalizer import from_bytes

_SAMPLE = 262_144  # bytes
_DELIMITERS = ",;\t|"
_GZIP = b"\x1f\x8b"
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class UnreadableFile(ValueError):
    """The file as a whole cannot be read. The message names the file and says why."""


@dataclass(frozen=True)
class Dialect:
    gzipped: bool
    encoding: str
    delimiter: str

    @classmethod
    def of(cls, path: Path) -> Dialect:
        """Raises UnreadableFile when the file is empty, binary, or broken from the start."""
        with path.open("rb") as file:
            gzipped = file.read(2) == _GZIP
        sample = _head(path, gzipped)
        if not sample.strip():
            raise UnreadableFile(f"{path}: expected rows of text, the file is empty")
        encoding = _encoding(path, sample)
        text = sample.decode(encoding, errors="replace")
        return cls(gzipped, encoding, _delimiter(text))

    @contextmanager
    def open(self, path: Path) -> Iterator[IO[str]]:
        """The file as text with its newlines kept. Bytes that are not of the encoding become lone surrogates."""
        with (
            gzip.open(path) if self.gzipped else path.open("rb") as raw,
            io.TextIOWrapper(raw, encoding=self.encoding, errors="surrogateescape", newline="") as text,
        ):
            yield text


def _head(path: Path, gzipped: bool) -> bytes:
    try:
        with gzip.open(path) if gzipped else path.open("rb") as file:
            return file.read(_SAMPLE)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableFile(f"{path}: the gzip data is damaged ({error}): get the file again") from error


def _encoding(path: Path, sample: bytes) -> str:
    for mark, encoding in _BOMS:
        if sample.startswith(mark):
            return encoding
    if b"\0" in sample:
        raise UnreadableFile(f"{path}: expected delimited text, this is a binary file")
    try:
        sample[: sample.rfind(b"\n") + 1].decode("utf-8")  # the sample's end may cut a character in two
        return "utf-8"
    except UnicodeDecodeError:
        best = from_bytes(sample).best()
        return best.encoding if best and best.encoding not in ("utf_8", "ascii") else "cp1252"


def _delimiter(text: str) -> str:
    """The delimiter that splits the most of the first lines into the same number of cells."""
    lines = [line for line in text.splitlines()[:200] if line.strip()]
    try:
        sniffed = csv.Sniffer().sniff("\n".join(lines[:50]), delimiters=_DELIMITERS).delimiter
    except csv.Error:
        sniffed = ","

    def regularity(delimiter: str) -> tuple[int, bool]:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if len(row) > 1]
        return (max((widths.count(width) * (width - 1) for width in set(widths)), default=0), delimiter == sniffed)

    return max(_DELIMITERS, key=regularity)
