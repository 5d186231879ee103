"""Requests that are sent until they are answered: who asks, how often, and what an answer that is none means."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from outlay.client.errors import Problem, Unreachable

_FIRST_WAIT, _LONGEST_WAIT = 0.1, 5.0  # seconds between two tries; each is twice the one before
_LATER = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


@dataclass
class Tokens:
    """What a caller shows. Without a `refresh` token, `access` is a personal one or the installation's key."""

    access: str
    refresh: str | None = None


class Requests:
    """One installation's API, asked as one caller. Threads may share it.

    Args:
        address: of the API, such as https://outlay.example/api.
        patience: seconds for which a request is sent again when the installation does not answer, or asks for time.
    """

    def __init__(
        self,
        address: str,
        tokens: Tokens | None = None,
        *,
        patience: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ):
        self._http = httpx.Client(base_url=address, timeout=30.0, transport=transport)
        self._patience = patience
        self._renewing = threading.Lock()
        self.tokens = tokens

    def close(self) -> None:
        self._http.close()

    def send(
        self, method: str, path: str, *, headers: Mapping[str, str | None] | None = None, **content: Any
    ) -> httpx.Response:
        """The answer to a request that may come more than once: each of the API's may that has an idempotency key.

        A change that is in the log and not decided (202) is sent again too, and answered so when patience ends.

        Args:
            headers: those without a value are left out.
            content: `json`, `params`, `files` as `httpx.Client.request` takes them.

        Raises:
            Problem: it is refused.
            Unreachable: no answer came.
        """
        given = {name: value for name, value in (headers or {}).items() if value is not None}
        until, wait = time.monotonic() + self._patience, _FIRST_WAIT
        is_renewed = False
        while True:
            shown = self.tokens
            answer, gone = self._once(method, path, shown, given, content)
            if answer is not None:
                if answer.status_code == HTTPStatus.UNAUTHORIZED and shown and shown.refresh and not is_renewed:
                    self._renew(shown)
                    is_renewed = True
                    continue
                if answer.status_code not in (*_LATER, HTTPStatus.ACCEPTED):
                    break
            pause = max(wait, _asked_for(answer))
            if time.monotonic() + pause > until:
                break
            time.sleep(pause)
            wait = min(2 * wait, _LONGEST_WAIT)
        if answer is None:
            raise Unreachable(f"{self._http.base_url} does not answer: {gone}") from gone
        if answer.is_error:
            raise Problem(answer)
        return answer

    def stream(self, path: str, *, headers: Mapping[str, str], params: Mapping[str, Any]) -> Any:
        """A context with an answer that is read while it comes; it is not sent again when it breaks off."""
        return self._http.stream("GET", path, headers={**_shown(self.tokens), **headers}, params=params)

    def _once(
        self, method: str, path: str, shown: Tokens | None, headers: Mapping[str, str], content: Mapping[str, Any]
    ) -> tuple[httpx.Response | None, httpx.TransportError | None]:
        try:
            return self._http.request(method, path, headers={**_shown(shown), **headers}, **content), None
        except httpx.TransportError as error:
            return None, error

    def _renew(self, spent: Tokens) -> None:
        """Trade the refresh token for the next ones, once, whichever thread finds the access token spent.

        It is not sent again without an answer: a second use of it would end the session.
        """
        with self._renewing:
            if self.tokens is not spent:
                return
            try:
                answer = self._http.post("/auth/tokens/refresh", json={"refresh_token": spent.refresh})
            except httpx.TransportError as error:
                raise Unreachable(f"{self._http.base_url} does not answer: {error}") from error
            if answer.is_error:
                raise Problem(answer)
            self.tokens = tokens_of(answer)


def tokens_of(answer: httpx.Response) -> Tokens:
    """Those of a login, or of a refresh."""
    told = answer.json()
    return Tokens(told["access_token"], told["refresh_token"])


def _shown(tokens: Tokens | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.access}"} if tokens else {}


def _asked_for(answer: httpx.Response | None) -> float:
    """Seconds that the installation asks to wait; 0 if it does not say."""
    told = answer.headers.get("Retry-After", "") if answer is not None else ""
    return float(told) if told.isdecimal() else 0.0
