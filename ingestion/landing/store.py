"""Whole files in the lake, on any file system that fsspec knows (a folder, ``s3://``, ...)."""

from __future__ import annotations

import hashlib
import os
from typing import Any
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem

_CHUNK = 1 << 20


def locate(lake: str, path: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of the lake at `lake` (a folder or an fsspec URL), and where `path` is on it."""
    fs, root = fsspec.core.url_to_fs(lake)
    return fs, f"{root.rstrip('/')}/{path}"


def put(lake: str, path: str, content: Any) -> None:
    """Write a whole file so that a reader sees all of it or nothing, even after a power cut; replaces an old one.

    `content` is anything with the buffer protocol. A local file is written under another name, flushed to the disk and
    renamed; an object store's upload is one request that takes effect at its end.
    """
    fs, full = locate(lake, path)
    if not isinstance(fs, LocalFileSystem):
        fs.pipe_file(full, bytes(content))
        return
    folder = os.path.dirname(full)
    fs.makedirs(folder, exist_ok=True)
    unfinished = f"{folder}/.{uuid4().hex}.unfinished"
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, full)
    except BaseException:
        if os.path.exists(unfinished):
            os.remove(unfinished)
        raise
    _flush_folder(folder)


def sha256(lake: str, path: str) -> tuple[int, str]:
    """Size in bytes and SHA-256 (hexadecimal) of a file.

    Raises:
        FileNotFoundError: there is none.
    """
    fs, full = locate(lake, path)
    digest, size = hashlib.sha256(), 0
    with fs.open(full, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def _flush_folder(folder: str) -> None:
    """Make a rename in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
