"""What health checks share: a port that answers, a page that says 200."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from http.client import HTTPException

from outlay.stack.errors import NotReady


def port(address: str, *, seconds: float = 2.0) -> None:
    """Raises:
    NotReady: nobody accepts connections at `address`, ``host:port``.
    """
    host, _, number = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(number)), timeout=seconds).close()
    except OSError as error:
        raise NotReady(f"nobody answers at {address} ({error})") from error


def page(url: str, *, data: bytes | None = None, seconds: float = 5.0) -> bytes:
    """The body of `url`; with `data`, of a JSON request that posts it.

    Raises:
        NotReady: no answer, or one of status 400 or above.
    """
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
            return answer.read()
    except urllib.error.HTTPError as error:
        raise NotReady(f"{url} answers {error.code}") from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise NotReady(f"no answer from {url} ({reason})") from error
