"""Whole files in the lake, on any file system that fsspec knows (a folder, ``s3://``, ...)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem

from ingestion.landing.errors import LakeUnavailable

_CLIENTS = ("botocore", "aiobotocore", "aiohttp")  # whose errors are not all OSError


def locate(lake: str, path: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of the lake at `lake` (a folder or an fsspec URL), and where `path` is on it."""
    fs, root = fsspec.core.url_to_fs(lake, use_listings_cache=False)
    return fs, f"{root.rstrip('/')}/{path}"


def shown(lake: str) -> str:
    """The lake's address as messages may show it: without user, password and options."""
    if "://" not in lake:
        return lake
    parts = urlsplit(lake)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def put(lake: str, path: str, content: Any) -> None:
    """Write a whole file so that a reader sees all of it or nothing, even after a power cut; replaces an old one.

    `content` is anything with the buffer protocol. A local file is written under another name, flushed to the disk and
    renamed; an object store's upload is one request that takes effect at its end.

    Raises:
        LakeUnavailable: the lake does not answer, or refuses.
    """
    with asking(lake):
        fs, full = locate(lake, path)
        if isinstance(fs, LocalFileSystem):
            with _written_locally(full) as file:
                file.write(content)
        else:
            fs.pipe_file(full, bytes(content))


@contextmanager
def writer(lake: str, path: str) -> Iterator[BinaryIO]:
    """A file to write bit by bit: when the block ends it is there as after `put`, and when that raises it is not.

    Raises:
        LakeUnavailable: the lake does not answer, or refuses.
    """
    with asking(lake):
        fs, full = locate(lake, path)
        with _written_locally(full) if isinstance(fs, LocalFileSystem) else _uploaded(fs, full) as file:
            yield file


@contextmanager
def reader(lake: str, path: str) -> Iterator[BinaryIO]:
    """A file to read here and there.

    Raises:
        FileNotFoundError: there is none.
        LakeUnavailable: the lake does not answer, or refuses.
    """
    with asking(lake):
        fs, full = locate(lake, path)
        with fs.open(full, "rb") as file:
            yield file


def read(lake: str, path: str) -> bytes:
    """The whole content of a file.

    Raises:
        FileNotFoundError: there is none.
        LakeUnavailable: the lake does not answer, or refuses.
    """
    with asking(lake):
        fs, full = locate(lake, path)
        return fs.cat_file(full)


def sha256(lake: str, path: str) -> tuple[int, str]:
    """Size in bytes and SHA-256 (hexadecimal) of a file. Raises what `read` raises."""
    content = read(lake, path)
    return len(content), hashlib.sha256(content).hexdigest()


def listing(lake: str, folder: str) -> dict[str, int]:
    """Every file below `folder`, by its path below the lake's root, with its size in bytes.

    Raises:
        LakeUnavailable: the lake does not answer, or refuses.
    """
    with asking(lake):
        fs, full = locate(lake, folder)
        above = len(full) - len(folder)
        try:
            found = fs.find(full, detail=True)
        except FileNotFoundError as error:
            if _code(error) == "NoSuchBucket":
                raise
            return {}
        return {name[above:]: entry["size"] for name, entry in sorted(found.items())}


@contextmanager
def asking(lake: str) -> Iterator[None]:
    """Make one clear error of all that a lake can answer; only a missing file stays a FileNotFoundError.

    Raises:
        LakeUnavailable: the lake does not answer, or refuses.
    """
    try:
        yield
    except Exception as error:
        code = _code(error)
        if isinstance(error, FileNotFoundError) and code != "NoSuchBucket":
            raise
        if not isinstance(error, OSError) and not type(error).__module__.startswith(_CLIENTS):
            raise
        raise LakeUnavailable(
            f"the lake {shown(lake)} does not answer as expected ({code}): {_advice(error, code)}; then run it again,"
            " nothing is lost"
        ) from None


def _code(error: BaseException) -> str:
    """The server's or the system's own name of an error. Its text is left out: it may quote what it was given."""
    response = getattr(error, "response", None) or getattr(error.__cause__, "response", None) or {}
    named = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return named or getattr(error, "strerror", None) or type(error).__name__


def _advice(error: Exception, code: str) -> str:
    if code == "NoSuchBucket":
        return "create the bucket, or set OUTLAY_LAKE_URL to one that exists"
    if "Credentials" in code:
        return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if isinstance(error, PermissionError):
        return "check who may write there, for S3 the AWS_* variables and the bucket's policy"
    return "see that it can be reached (for S3 at AWS_ENDPOINT_URL) and has room"


@contextmanager
def _written_locally(full: str) -> Iterator[BinaryIO]:
    folder = os.path.dirname(full)
    os.makedirs(folder, exist_ok=True)
    unfinished = f"{folder}/.{uuid4().hex}.unfinished"
    try:
        with open(unfinished, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, full)
    except BaseException:
        if os.path.exists(unfinished):
            os.remove(unfinished)
        raise
    _flush_folder(folder)


@contextmanager
def _uploaded(fs: fsspec.AbstractFileSystem, full: str) -> Iterator[BinaryIO]:
    file = fs.open(full, "wb")
    try:
        yield file
    except BaseException:
        file.closed = True  # to close it, if only when it is collected, would complete the upload
        file.discard()
        raise
    file.close()


def _flush_folder(folder: str) -> None:
    """Make a rename in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
