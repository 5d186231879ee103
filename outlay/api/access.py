"""Who may come in: whoever holds the one key of this installation.

Programs send the key itself (``Authorization: Bearer``). A browser trades it once, at ``/open``, for a cookie that is
derived from the key and does not reveal it.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections.abc import Mapping

from outlay.settings import settings

COOKIE_SECONDS = 90 * 24 * 3600
_KEY_IN_QUERY = re.compile(r"([?&]key=)[^&\s\"]*")


def is_key(candidate: str) -> bool:
    """Whether this is the installation's key; takes as long whatever the candidate."""
    return hmac.compare_digest(candidate.encode(), _key())


def cookie_name() -> str:
    """The cookie's name. It differs between installations: browsers keep one jar for all ports of a host."""
    return f"outlay_{_derived('cookie name')[:8]}"


def session_cookie_name() -> str:
    """The name of the cookie that holds a person's session."""
    return f"outlay_session_{_derived('session cookie name')[:8]}"


def cookie_value() -> str:
    """What the cookie holds."""
    return _derived("cookie value")


def has_cookie(cookies: Mapping[str, str]) -> bool:
    """Whether a browser that sent these cookies has opened this installation with its key."""
    return hmac.compare_digest(cookies.get(cookie_name(), "").encode(), cookie_value().encode())


class WithoutKey(logging.Filter):
    """Takes the key out of the addresses that a web server logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_redacted(value) for value in record.args)
        record.msg = _redacted(record.msg)
        return True


def _redacted(value: object) -> object:
    return _KEY_IN_QUERY.sub(r"\1***", value) if isinstance(value, str) else value


def _derived(purpose: str) -> str:
    return hmac.new(_key(), f"outlay {purpose}".encode(), hashlib.sha256).hexdigest()


def _key() -> bytes:
    return settings().api_token.get_secret_value().encode()
