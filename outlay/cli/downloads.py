"""The progress of downloads: a bar on a terminal, a line per finished file elsewhere."""

from __future__ import annotations

import sys
from threading import Lock

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn


class Downloads:
    """Shows what `received` is told, from any thread; shows nothing when nothing is downloaded."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._left: dict[str, int] = {}
        self._bar: Progress | None = None

    def __enter__(self) -> Downloads:
        return self

    def __exit__(self, *_) -> None:
        if self._bar is not None:
            self._bar.stop()

    def received(self, name: str, count: int, size: int) -> None:
        """`count` more bytes of the file `name`, which has `size`, have arrived."""
        with self._lock:
            first = name not in self._left
            self._left[name] = self._left.get(name, size) - count
            if sys.stdout.isatty():
                self._show(count, added=size if first else 0)
            elif self._left[name] <= 0:
                click.echo(f"downloaded {name}  {size / 1e6:.1f} MB")

    def _show(self, count: int, *, added: int) -> None:
        if self._bar is None:
            columns = (TextColumn("downloading servers"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
            self._bar = Progress(*columns)
            self._bar.add_task("", total=0)
            self._bar.start()
        task = self._bar.tasks[0]
        self._bar.update(task.id, total=task.total + added, advance=count)
