"""The API's operations as calls, each with the types that the API itself has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import Any, BinaryIO, Literal, Self, TypeVar, Unpack
from uuid import UUID, uuid4

import httpx
from pydantic import BaseModel, TypeAdapter

from outlay.api.analytics_schemas import DashboardOut
from outlay.api.schemas import (
    AccountOut,
    AnswerOut,
    CategoryOut,
    ChangedOut,
    ExpenseDetail,
    ExpenseOut,
    ExpensesOut,
    OutcomesOut,
    TotalOut,
    VersionOut,
    WorkspaceOut,
)
from outlay.client.errors import Problem
from outlay.client.inputs import Changes, Filter, NewAccount, NewExpense, Sort
from outlay.client.requests import Requests, Tokens, tokens_of

Told = TypeVar("Told", bound=BaseModel)
_AT_ONCE = 500  # expenses that one request records at most
_PAGE = 500  # expenses that one answer lists at most
_CHUNK = 64 * 1024  # bytes of a file that are read at once


class Client:
    """One workspace of an installation, as one caller sees it. Threads may share it.

    Each call is sent again while the installation does not answer, and is still one event: what it records has a key,
    what it changes a version. All raise `Problem` for a refusal and `Unreachable` when no answer comes.

    Args:
        address: of the API, such as https://outlay.example/api.
        token: a personal one, or the installation's key; None before `log_in`.
        workspace_id: None for the only one that the caller is a member of.
        patience: seconds for which a call waits for an answer, and for its change to be decided.
        transport: what carries the requests; None for HTTP.
    """

    def __init__(
        self,
        address: str,
        token: str | None,
        *,
        workspace_id: UUID | None = None,
        patience: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ):
        tokens = Tokens(token) if token else None
        self._requests = Requests(address, tokens, patience=patience, transport=transport)
        self._asked_for = workspace_id

    @classmethod
    def log_in(cls, address: str, email: str, password: str, **options: Any) -> Self:
        """A client of somebody with an account; its tokens are renewed while it is used. `options`: of `Client`.

        Raises:
            Problem: address or password is wrong, among others.
        """
        client = cls(address, None, **options)
        told = client._requests.send("POST", "/auth/tokens", json={"email": email, "password": password})
        client._requests.tokens = tokens_of(told)
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._requests.close()

    def workspaces(self) -> list[WorkspaceOut]:
        """Those that the caller is a member of."""
        return _several(WorkspaceOut, self._requests.send("GET", "/workspaces"))

    @cached_property
    def workspace_id(self) -> UUID:
        """The workspace of every other call.

        Raises:
            ValueError: none was named, and the caller is in none or in several.
        """
        if self._asked_for is not None:
            return self._asked_for
        known = self.workspaces()
        if len(known) != 1:
            there = ", ".join(f"{each.workspace_id} ({each.name})" for each in known) or "none"
            raise ValueError(f"expected workspace_id, for the caller is in {len(known)} workspaces: {there}")
        return known[0].workspace_id

    def accounts(self) -> list[AccountOut]:
        """The closed ones last."""
        return _several(AccountOut, self._send("GET", "/accounts"))

    def open_account(self, **account: Unpack[NewAccount]) -> AccountOut:
        return _one(AccountOut, self._send("POST", "/accounts", json=_plain(account), headers=_keyed()))

    def categories(self) -> list[CategoryOut]:
        """The tree, each category followed by those below it."""
        return _several(CategoryOut, self._send("GET", "/categories"))

    def record(self, **expense: Unpack[NewExpense]) -> AnswerOut:
        return _one(AnswerOut, self._send("POST", "/expenses", json=_plain(expense), headers=_keyed()))

    def record_many(self, expenses: Iterable[NewExpense]) -> Iterator[OutcomesOut]:
        """Record any number: what became of each 500, as soon as it is known. Iterate, or nothing is sent."""
        waiting = iter(expenses)
        while some := [_plain(expense) for expense in islice(waiting, _AT_ONCE)]:
            yield _one(OutcomesOut, self._send("POST", "/expenses/bulk", json={"expenses": some}, headers=_keyed()))

    def expense(self, transaction_id: UUID) -> ExpenseDetail:
        return _one(ExpenseDetail, self._send("GET", f"/expenses/{transaction_id}"))

    def expenses(self, sort: Sort = "newest", **filters: Unpack[Filter]) -> Iterator[ExpenseOut]:
        """All that the filters leave, read page by page."""
        params = _params(filters) | {"sort": sort, "limit": _PAGE}
        while True:
            page = _one(ExpensesOut, self._send("GET", "/expenses", params=params))
            yield from page.expenses
            if page.next is None:
                return
            params["cursor"] = page.next

    def amend(self, transaction_id: UUID, version: int, **changes: Unpack[Changes]) -> AnswerOut:
        """Change fields of the version that the caller has read; `Problem.version` of a refusal says which it is at."""
        return self._change("PATCH", f"/expenses/{transaction_id}", version, json=_plain(changes))

    def void(self, transaction_id: UUID, version: int) -> AnswerOut:
        """Take it back; it can be restored."""
        return self._change("POST", f"/expenses/{transaction_id}/void", version)

    def restore(self, transaction_id: UUID, version: int, *, to_version: int | None = None) -> AnswerOut:
        """Bring a void one back; with `to_version`, make any one what it was then."""
        params = {} if to_version is None else {"to_version": to_version}
        return self._change("POST", f"/expenses/{transaction_id}/restore", version, params=params)

    def history(self, transaction_id: UUID) -> list[VersionOut]:
        return _several(VersionOut, self._send("GET", f"/expenses/{transaction_id}/history"))

    def attach(self, transaction_id: UUID, version: int, name: str, content: bytes) -> AnswerOut:
        """Attach a PDF, JPEG, PNG, WebP or GIF."""
        return self._change("POST", f"/expenses/{transaction_id}/attachments", version, files={"file": (name, content)})

    def attachment(self, transaction_id: UUID, attachment_id: UUID) -> bytes:
        return self._send("GET", f"/expenses/{transaction_id}/attachments/{attachment_id}").content

    def changes(self, cursor: str | None = None) -> Iterator[ChangedOut]:
        """What changed since a cursor, from the first expense without one, up to now; keep the last one's `cursor`."""
        while True:
            params = {"limit": _PAGE} | ({"cursor": cursor} if cursor else {})
            page = _one(ChangedOut, self._send("GET", "/expenses/changes", params=params))
            yield page
            if not page.more:
                return
            cursor = page.cursor

    def totals(
        self,
        first: date,
        last: date,
        *,
        by: Sequence[Literal["kind", "category", "account", "member"]] = (),
        kind: Sequence[str] = (),
    ) -> list[TotalOut]:
        """What the months from that of `first` to that of `last` come to, in the currencies of the purchases."""
        params = {"from": _month(first), "to": _month(last), "by": list(by), "kind": list(kind)}
        return _several(TotalOut, self._send("GET", "/totals", params=params))

    def dashboard(self, month: date | None = None, *, merchants: int = 10) -> DashboardOut:
        """The spending of a day's month, of the present one without it; see `DashboardOut`."""
        params: dict[str, Any] = {"merchants": merchants} | ({"month": _month(month)} if month else {})
        return _one(DashboardOut, self._send("GET", "/analytics/dashboard", params=params))

    def export(
        self,
        to: BinaryIO,
        file_format: Literal["csv", "parquet"] = "csv",
        sort: Sort = "newest",
        **filters: Unpack[Filter],
    ) -> None:
        """Write all that the filters leave as a file. It is not sent again: where it breaks off, `to` has a part of it.

        Raises:
            httpx.TransportError: it broke off.
        """
        params = _params(filters) | {"sort": sort, "format": file_format}
        with self._requests.stream("/expenses/export", headers=self._where(), params=params) as answer:
            if answer.is_error:
                answer.read()
                raise Problem(answer)
            for chunk in answer.iter_bytes(_CHUNK):
                to.write(chunk)

    def _change(self, method: str, path: str, version: int, **content: Any) -> AnswerOut:
        headers = {"If-Match": f'"{version}"'} | _keyed()
        return _one(AnswerOut, self._send(method, path, headers=headers, **content))

    def _send(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **content: Any
    ) -> httpx.Response:
        return self._requests.send(method, path, headers={**self._where(), **(headers or {})}, **content)

    def _where(self) -> dict[str, str]:
        return {"X-Outlay-Workspace": str(self.workspace_id)}


def _keyed() -> dict[str, str]:
    """Makes all tries of one call the same event."""
    return {"Idempotency-Key": str(uuid4())}


def _one(model: type[Told], answer: httpx.Response) -> Told:
    return model.model_validate_json(answer.content)


def _several(model: type[Told], answer: httpx.Response) -> list[Told]:
    return TypeAdapter(list[model]).validate_json(answer.content)


def _plain(value: Any) -> Any:
    """As JSON has it; amounts are strings."""
    match value:
        case Decimal():
            return format(value, "f")
        case UUID() | date():
            return str(value)
        case Mapping():
            return {name: _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
    return value


def _params(filters: Mapping[str, Any]) -> dict[str, Any]:
    named = {"first_day": "from", "last_day": "to"}
    return {named.get(name, name): _plain(value) for name, value in filters.items()}


def _month(day: date) -> str:
    return f"{day:%Y-%m}"
