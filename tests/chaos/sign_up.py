"""Somebody signs up in a process that kills itself at a named point.

python -m tests.chaos.sign_up POINT EMAIL PASSWORD
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from outlay.accounts import audit, outbox, registration
from outlay.accounts.origin import COMMAND
from outlay.accounts.process import Accounts
from outlay.ledger.commands import Ledger
from outlay.settings import settings

POINTS = ("stored", "committed", "appended")
"""`stored`: all is written, the transaction is not committed. `committed`: it is, and nothing is in the log.
`appended`: one event is in the log, and the outbox does not know it."""


def _die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(point: str, email: str, password: str) -> None:
    ledger = Ledger().__enter__()
    if point == "stored":
        written = audit.record

        def record_and_die(connection, event, *given, **named):
            written(connection, event, *given, **named)
            if event == "account_confirmed":
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
    threading.Event().wait(60)  # the relay's thread gets there


if __name__ == "__main__":
    main(*sys.argv[1:])
