"""Somebody signs up in a process that kills itself at a named point.

python -m tests.chaos.sign_up POINT EMAIL PASSWORD
"""

from __future__ import annotations

import os
import signal
import sys
import time

from outlay.accounts import audit, outbox, registration
from outlay.accounts.origin import COMMAND
from outlay.accounts.process import Accounts
from outlay.db import session
from outlay.ledger.commands import Ledger
from outlay.settings import settings

POINTS = ("stored", "committed", "appended")
"""`stored`: all is written, the transaction is not committed. `committed`: it is, and nothing is in the log.
`appended`: one event is in the log, and the outbox does not know it."""


ANOTHER_WAS_FIRST = 3
"""Exit code when the relay of another process appended what was written before ours came to it."""


def outbox_waits() -> int:
    with session("auth") as connection:
        return connection.execute("SELECT count(*) FROM auth.outbox WHERE appended_at IS NULL").fetchone()[0]


def _die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(point: str, email: str, password: str) -> None:
    ledger = Ledger().__enter__()
    if point == "stored":
        written = audit.record

        def record_and_die(connection, event, *given, **named):
            written(connection, event, *given, **named)
            if event == "account_made":
                _die()

        registration.audit.record = record_and_die
    elif point == "committed":
        outbox.append_waiting = lambda *_: 0
        outbox.Relay.tell = _die
    else:
        delivered = ledger.deliver
        ledger.deliver = lambda *given: _die(delivered(*given))
    accounts = Accounts.opened(ledger, settings())
    about = registration.SignUp("Anna", "EUR", "UTC")
    registration.sign_up(accounts, about, email=email, password=password, origin=COMMAND)
    while outbox_waits():  # the relay's thread gets there
        time.sleep(0.01)
    sys.exit(ANOTHER_WAS_FIRST)


if __name__ == "__main__":
    main(*sys.argv[1:])
