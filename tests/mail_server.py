"""A real SMTP server on the loopback, which keeps what it takes."""

from __future__ import annotations

import time
from email import message_from_bytes
from email.message import Message

from aiosmtpd.controller import Controller

from tests.support import free_port


class Inbox:
    """What a mail server took in. It refuses the address nobody@example.org."""

    def __init__(self) -> None:
        self.mails: list[Message] = []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"

    def next_to(self, address: str, *, seconds: float = 30) -> Message:
        """The oldest mail to this address, waited for and taken out."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for message in self.mails:
                if message["To"] == address:
                    self.mails.remove(message)
                    return message
            time.sleep(0.02)
        raise AssertionError(f"no mail to {address} in {seconds} s; there are {[m['To'] for m in self.mails]}")


class Server:
    """An SMTP server on a port of its own, which can be stopped and started again."""

    def __init__(self, **options: object) -> None:
        self.port = free_port()
        self.inbox, self._options = Inbox(), options
        self.start()

    def start(self) -> None:
        self._controller = Controller(self.inbox, hostname="127.0.0.1", port=self.port, **self._options)
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()
