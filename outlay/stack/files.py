"""Small files of the home folder: written whole or not at all, private where they hold secrets."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from outlay.stack.errors import StackError


def write(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replace `path` in one step, if `text` is not what it says already."""
    if path.exists() and path.read_text() == text:
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    beside.unlink(missing_ok=True)
    with open(beside, "x", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(text)
    beside.chmod(mode)
    beside.replace(path)


def read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        raise StackError(f"{path} is not JSON ({error}): restore it from a backup") from error


def write_json(path: Path, value: dict, *, mode: int = 0o600) -> None:
    write(path, json.dumps(value, indent=2) + "\n", mode=mode)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; waits while another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
