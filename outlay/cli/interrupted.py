"""Ending a long command in the middle: Ctrl-C and SIGTERM alike."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

_INTERRUPTED = 130  # what shells say of a program ended by Ctrl-C


@contextmanager
def interruptible(left: str) -> Iterator[None]:
    """SIGTERM ends the block the way Ctrl-C does: with the queue flushed, a word on how to go on, and exit code 130.

    Args:
        left: what the interruption leaves, such as ``what was stored stays``.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"outlay: interrupted; {left}: run the same command again to continue", err=True)
        sys.exit(_INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, before)
