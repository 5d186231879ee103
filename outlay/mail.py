"""Mail, through the SMTP server that the settings name."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import SplitResult, unquote, urlsplit

from outlay.settings import Settings, settings

_PORTS = {"smtp": 587, "smtps": 465}
_PATIENCE = 30  # seconds for each answer of the server


class MailError(Exception):
    """The mail was not sent; the message says to which server, and why. It never holds the password."""


def send(subject: str, text: str, *, to: Sequence[str], using: Settings | None = None) -> Sequence[str]:
    """Send a plain text to some addresses, as one mail; returns those that the server refused while it took others.

    ``smtps://`` is TLS from the first byte. ``smtp://`` is TLS where the server offers it, and must be when the URL has
    a password. Certificates are verified.

    Raises:
        MailError: nobody got it: no server is set, it is away, or it refused the mail or every address.
    """
    here = using or settings()
    if not here.smtp_url:
        raise MailError("no mail server is set: OUTLAY_SMTP_URL=smtp://user:password@host:587")
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = " ".join(subject.split()), here.mail_from, ", ".join(to)
    message["Date"], message["Message-ID"] = formatdate(usegmt=True), make_msgid(domain="outlay.invalid")
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice is to answer
    message.set_content(text)
    url, port = _address(here.smtp_url.get_secret_value())
    try:
        with _connected(url.scheme, url.hostname, port, has_password=url.password is not None) as server:
            if url.username and url.password is not None:
                server.login(unquote(url.username), unquote(url.password))
            return sorted(server.send_message(message))
    except (OSError, smtplib.SMTPException) as error:  # SMTPException is an OSError, but not in its documentation
        raise MailError(f"the mail server {url.hostname}:{port}: {_reason(error)}") from None


def _address(given: str) -> tuple[SplitResult, int]:
    """The URL's parts, and the port."""
    try:
        url = urlsplit(given)
        if url.scheme in _PORTS and url.hostname and not url.path.strip("/") and not url.query and not url.fragment:
            return url, url.port or _PORTS[url.scheme]
    except ValueError:
        pass  # it quotes what it could not read, which may be the password
    raise MailError(
        "OUTLAY_SMTP_URL: expected smtp://[user:password@]host[:port] or smtps://…; in a password write # as %23, / as"
        " %2F and @ as %40"
    )


@contextmanager
def _connected(scheme: str, host: str, port: int, *, has_password: bool) -> Iterator[smtplib.SMTP]:
    verified = ssl.create_default_context()
    if scheme == "smtps":
        with smtplib.SMTP_SSL(host, port, timeout=_PATIENCE, context=verified) as server:
            yield server
        return
    with smtplib.SMTP(host, port, timeout=_PATIENCE) as server:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=verified)
        elif has_password:
            raise smtplib.SMTPNotSupportedError(
                "it offers no TLS, so the password was not sent: smtps://, or another port"
            )
        yield server


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        return f"{error.smtp_code} {said}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"it refused {', '.join(sorted(error.recipients))}"
    return str(error) or type(error).__name__
