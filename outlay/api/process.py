"""What the pages and the API of one process share: one ledger, opened at its first use."""

from __future__ import annotations

import threading

from outlay.ledger.commands import Ledger

_lock = threading.Lock()
_ledger: Ledger | None = None


def ledger() -> Ledger:
    """The process's ledger; safe to use from every thread. It connects at the first event."""
    global _ledger
    with _lock:
        if _ledger is None:
            _ledger = Ledger().__enter__()
        return _ledger


def close() -> None:
    """Close the ledger, delivering what it still holds."""
    global _ledger
    with _lock:
        if _ledger is not None:
            _ledger.__exit__(None, None, None)
            _ledger = None
