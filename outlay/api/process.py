"""What the pages and the API of one process share: one ledger and one use of accounts, opened at their first use."""

from __future__ import annotations

import threading

from outlay.accounts.process import Accounts
from outlay.ledger.commands import Ledger
from outlay.settings import settings

_lock = threading.RLock()
_ledger: Ledger | None = None
_accounts: Accounts | None = None


def ledger() -> Ledger:
    """The process's ledger; safe to use from every thread. It connects at the first event."""
    global _ledger
    with _lock:
        if _ledger is None:
            _ledger = Ledger().__enter__()
        return _ledger


def accounts() -> Accounts:
    """The process's use of accounts. From its first use on, what waits in the outbox is appended."""
    global _accounts
    with _lock:
        if _accounts is None:
            _accounts = Accounts.opened(ledger(), settings())
        return _accounts


def close() -> None:
    """Close both, delivering what they still hold."""
    global _ledger, _accounts
    with _lock:
        if _accounts is not None:
            _accounts.close()
            _accounts = None
        if _ledger is not None:
            _ledger.__exit__(None, None, None)
            _ledger = None
