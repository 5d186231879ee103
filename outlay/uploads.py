"""Files that people send: what they are their bytes say, and the lake keeps them by their hash."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath
from threading import Lock

from ingestion.landing import store
from ingestion.rules import Problem
from outlay.ledger.errors import Refused

LARGEST = 8 * 1024 * 1024
"""Bytes of a file."""
PORTRAIT = "image/webp"
"""The media type of what `portrait` returns."""
ENDINGS = {
    "application/pdf": (".pdf",),
    "image/jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "image/png": (".png",),
    "image/webp": (".webp",),
    "image/gif": (".gif",),
}
"""The media types that are taken, and how the names of such files end."""

_BEGINNINGS = (
    (rb"(?:\xef\xbb\xbf)?\s*%PDF-", "application/pdf"),
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"RIFF.{4}WEBP", "image/webp"),
    (rb"GIF8[79]a", "image/gif"),
)
_LONGEST_NAME, _LONGEST_ENDING = 200, 10
_SHA256 = re.compile("[0-9a-f]{64}")
_SECONDS = 30  # for a portrait, after five of which its process ends itself if the machine is not busy
_making = Lock()


class Damaged(RuntimeError):
    """The lake holds another content under a hash."""


def sniffed(content: bytes) -> str:
    """The media type that the first bytes say; nothing is believed of what a sender calls it, and no more is read.

    Raises:
        Refused: it is nothing that is taken, or too large.
    """
    if len(content) > LARGEST:
        message = f"expected at most {LARGEST:,} bytes, got {len(content):,}"
        raise Refused([Problem("small", "file", message)])
    for beginning, media_type in _BEGINNINGS:
        if re.match(beginning, content[:1024], re.DOTALL):
            return media_type
    raise Refused([Problem("media_type", "file", "expected a PDF, JPEG, PNG, WebP or GIF")])


def portrait(content: bytes) -> bytes:
    """A small picture of a large one; see `outlay.portrait`, which runs in a process of its own, one at a time.

    Raises:
        Refused: it is no picture, or takes too long or too much memory to read.
    """
    if not sniffed(content).startswith("image/"):
        raise Refused([Problem("media_type", "file", "expected a JPEG, PNG, WebP or GIF")])
    command = [sys.executable, "-I", str(Path(__file__).with_name("portrait.py"))]
    try:
        with _making:
            made = subprocess.run(command, input=content, capture_output=True, timeout=_SECONDS, env={}, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, BrokenPipeError):
        message = "expected a picture that can be read, of at most 50,000,000 pixels"
        raise Refused([Problem("readable", "file", message)]) from None
    return made.stdout


def plain_name(given: str | None) -> str | None:
    """The last part of a path, without what nobody can see; None where nothing is left."""
    last = PurePosixPath((given or "").replace("\\", "/")).name
    seen = re.sub(r"\s+", " ", "".join(each if each.isprintable() else " " for each in last)).strip(". ")
    ending = PurePosixPath(seen).suffix[:_LONGEST_ENDING]
    return f"{seen[: _LONGEST_NAME - len(ending)]}{ending}" if len(seen) > _LONGEST_NAME else seen or None


def sha256(content: bytes) -> str:
    """What a file is kept by: its SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def keep(lake: str, folder: str, content: bytes) -> None:
    """Keep a file below a folder of the lake, for good.

    Raises:
        LakeUnavailable: see `ingestion.landing.store.put`.
    """
    store.put(lake, f"{folder}/{sha256(content)}", content)


def kept(lake: str, folder: str, digest: str) -> bytes:
    """A file that was kept. The folder is its owner's own: who guesses the hash of another one's file has nothing.

    Raises:
        FileNotFoundError: the lake has lost it, or it is no hash: whoever writes into the log may have sent anything.
        Damaged: it has another content.
        LakeUnavailable: the lake does not answer.
    """
    if not _SHA256.fullmatch(digest):
        raise FileNotFoundError(f"expected a SHA-256 as 64 hexadecimal digits, got {digest!r:.80}")
    found = store.read(lake, f"{folder}/{digest}")
    if sha256(found) != digest:
        raise Damaged(f"the lake holds another content than that of {digest}")
    return found
