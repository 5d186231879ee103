"""Ending on SIGTERM and Ctrl-C."""

from __future__ import annotations

import signal
import threading
from queue import SimpleQueue


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set from now on. To be called in the main thread.

    A handler runs in the main thread, wherever that is: within `stop.wait()` it may hold the lock that `stop.set()`
    takes, and would wait for itself for ever. So the handler only puts a word into a queue made for such callers
    (`SimpleQueue.put` is reentrant), and a thread of its own sets the event.
    """
    stop, arrived = threading.Event(), SimpleQueue()

    def set_when_told() -> None:
        arrived.get()
        stop.set()

    threading.Thread(target=set_when_told, name="stop-on-signals", daemon=True).start()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: arrived.put(None))
    return stop
