"""Mails about an account. They leave in a thread of their own: an answer's time does not tell whether one was sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import structlog

from outlay.mail import MailError, send
from outlay.settings import Settings

log = structlog.get_logger("outlay.post")


class Post:
    """Sends mails one after the other. A mail that the server does not take is logged, without what it says."""

    def __init__(self, using: Settings):
        self._settings = using
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="post")

    @property
    def works(self) -> bool:
        """Whether a mail server is set; without one, an address is taken for its owner's."""
        return self._settings.smtp_url is not None

    def send(self, subject: str, text: str, *, to: str) -> None:
        if self.works:
            self._thread.submit(self._send, subject, text, to)

    def close(self) -> None:
        """Let what is on the way leave."""
        self._thread.shutdown()

    def _send(self, subject: str, text: str, to: str) -> None:
        try:
            send(subject, text, to=[to], using=self._settings)
        except MailError as error:
            log.warning("a mail was not sent", subject=subject, error=str(error))
        except Exception:
            log.exception("a mail was not sent", subject=subject)
