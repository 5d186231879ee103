"""Mails about an account, and what is found out for them, in a thread of its own: an answer's time tells nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from outlay.accounts.mails import Mail
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
        return bool(self._settings.smtp_url)

    def send(self, mail: Mail, *, to: str) -> None:
        if self.works:
            self._thread.submit(self._send, mail, to)

    def later(self, task: Callable[[], None]) -> None:
        """Do something in the thread of the mails. What fails in it is logged."""
        self._thread.submit(self._do, task)

    def close(self) -> None:
        """Let what is on the way leave."""
        self._thread.shutdown()

    def _send(self, mail: Mail, to: str) -> None:
        try:
            send(mail.subject, mail.text, to=[to], using=self._settings)
        except MailError as error:
            log.warning("a mail was not sent", subject=mail.subject, error=str(error))
        except Exception:
            log.exception("a mail was not sent", subject=mail.subject)

    def _do(self, task: Callable[[], None]) -> None:
        try:
            task()
        except Exception:
            log.exception("what was asked for was not done")
