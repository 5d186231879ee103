"""A projector for a test's own database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ingestion.projection import Load, Metrics, run
from outlay.settings import Settings


@contextmanager
def projector(
    stack: Settings, dsn: str, metrics: Metrics | None = None, load: Load | None = None
) -> Iterator[threading.Thread]:
    """A projector in a thread of this process, in two lanes unless told otherwise.

    Raises:
        AssertionError: it ended before it was told to, or did not stop.
    """
    stop = threading.Event()
    given = {"bootstrap": stack.bootstrap, "registry_url": stack.registry, "dsn": dsn, "stop": stop}
    given |= {"load": load or Load(2, fewest=2), "metrics": metrics}
    thread = threading.Thread(target=run, kwargs=given)
    thread.start()
    try:
        yield thread
        assert thread.is_alive(), "the projector ended"
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive(), "the projector did not stop"
