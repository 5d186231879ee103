"""Which expenses a request asks for, as the parameters of its address."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

import psycopg
from pydantic import AfterValidator, Field

from outlay.api.schemas import Currency, Day, ExternalId, Strict
from outlay.ledger.exports import Format
from outlay.ledger.queries import choices, expenses

Source = Literal["app", "api", "import", "feed", "sentence", "receipt", "rule", "model", "simulator"]


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("expected text without a NUL")
    return text


Words = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_without_nul)]
Several = Field(max_length=100)
Cursor = Annotated[str, Field(max_length=4000)]
Bound = Annotated[Decimal, Field(max_digits=18, decimal_places=4)]


class Asked(Strict):
    """Filters: an expense is listed that all of them leave. Of several values, one has to fit."""

    first_day: Day | None = Field(None, alias="from", description="The first day, such as 2026-01-31.")
    last_day: Day | None = Field(None, alias="to", description="The last day.")
    category: Annotated[list[Words], Several] | None = Field(
        None, description="With every category below it; `uncategorised` is what has none."
    )
    account: Annotated[list[UUID], Several] | None = None
    merchant: Annotated[list[Words], Several] | None = Field(None, description="As it is listed.")
    kind: Annotated[list[expenses.Kind], Several] | None = None
    status: expenses.Status | None = Field(None, description="All but void ones without it.")
    currency: Currency | None = None
    min_amount: Bound | None = Field(None, description="What comes in is below 0.")
    max_amount: Bound | None = None
    tag: Annotated[list[Words], Several] | None = Field(None, description="It has all of these.")
    source: Source | None = Field(None, description="The way in of its newest version.")
    has_attachment: bool | None = None
    external_id: Annotated[ExternalId, AfterValidator(_without_nul)] | None = None
    text: Annotated[str, Field(max_length=200), AfterValidator(_without_nul)] | None = Field(
        None, description="Words that all occur in merchant, description, counterparty, note or tags."
    )

    def filter(self, connection: psycopg.Connection) -> expenses.Filter:
        """As the list takes it. The session is asked for the tree of categories."""
        below = None
        if self.category:
            tree = choices.categories(connection)
            below = tuple(found for category in self.category for found in tree.with_below(category))
        return expenses.Filter(
            first_day=self.first_day,
            last_day=self.last_day,
            categories=below,
            accounts=_some(self.account),
            merchants=_some(self.merchant),
            kinds=_some(self.kind),
            status=self.status,
            currency=self.currency,
            min_amount=self.min_amount,
            max_amount=self.max_amount,
            tags=_some(self.tag),
            source=self.source,
            has_attachment=self.has_attachment,
            external_id=self.external_id,
            text=self.text,
        )


class AskedPage(Asked):
    """A page of them."""

    sort: expenses.Sort = "newest"
    cursor: Cursor | None = Field(None, description="`next` of the page before.")
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class AskedFile(Asked):
    """All of them as a file."""

    format: Format = "csv"
    sort: expenses.Sort = "newest"


class AskedChanges(Strict):
    """Where a reader stands."""

    cursor: Cursor | None = Field(None, description="From the beginning without one.")
    limit: Annotated[int, Field(ge=1, le=500)] = 500


def _some(values: list | None) -> tuple | None:
    return tuple(values) if values else None
