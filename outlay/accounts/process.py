"""What every use of accounts in one process shares."""

from __future__ import annotations

from dataclasses import dataclass

from outlay.accounts.access_tokens import LIFETIME
from outlay.accounts.outbox import Relay
from outlay.accounts.post import Post
from outlay.accounts.signing_keys import KeyRing
from outlay.ledger.commands import Ledger
from outlay.settings import Settings


@dataclass(frozen=True)
class Accounts:
    """Opened once per process, by `opened`, and closed at its end."""

    settings: Settings
    ledger: Ledger
    ring: KeyRing
    relay: Relay
    post: Post

    @staticmethod
    def opened(ledger: Ledger, using: Settings) -> Accounts:
        return Accounts(using, ledger, KeyRing(using, lifetime=LIFETIME), Relay(ledger, using), Post(using))

    def close(self) -> None:
        self.relay.close()
        self.post.close()
