"""A delimited file into the ledger: every row is looked at before any is stored, and the same row is the same event.

Ids are UUIDv5 of (workspace, account, date, amount, currency, raw description, occurrence number of these in the
file), so the order of the rows, the name of the file and how often it is imported make no difference, and identical
rows are separate purchases.
"""

from __future__ import annotations

import csv
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

from ingestion.enrich import Enricher
from ingestion.events import derived_id, owner_of, transaction
from ingestion.sources.delimited import Bad, DelimitedFile, Record, Refused
from outlay.db import session
from outlay.ledger.choosing import OwnEnricher
from outlay.ledger.commands import Ledger, Progress
from outlay.ledger.queries import choices
from outlay.ledger.queries.category_tree import Categories
from outlay.ledger.workspaces import Account, Workspace, ensure_category

OnRow = Callable[[int], None]
"""Called with how many rows have been done so far."""


@dataclass
class Survey:
    """What the first pass saw: nothing is stored yet."""

    rows: int = 0
    """Usable rows."""
    refused: int = 0
    bad: list[Bad] = field(default_factory=list)
    totals: dict[str, Decimal] = field(default_factory=dict)
    """Currency to the sum of the usable rows' amounts."""
    categories: set[str] = field(default_factory=set)
    """The file's own names of categories."""


@dataclass(frozen=True)
class Imported:
    """What the second pass did."""

    inserted: int
    already_there: int
    elapsed_s: float
    tenths: list[int]
    """Rows a second of each tenth of the file, from the first row to the last one's decision."""


@dataclass(frozen=True)
class Destination:
    """Where the rows go, and what the file's categories are there: name to (category id, kind of category)."""

    workspace: Workspace
    account: Account
    categories: dict[str, tuple[str | None, str]]
    tree: Categories


def import_id(path: Path, workspace: str, account: str) -> UUID:
    """The same for the same bytes into the account of that name: an interrupted import goes on under its id."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return derived_id("import", workspace, account, digest)


def survey(file: DelimitedFile, *, refused_to: Path | None = None, on_row: OnRow | None = None) -> Survey:
    """The first pass: every fault of every row, and the totals of the good ones.

    Args:
        refused_to: CSV of the rows that cannot be used, with line, reasons and their own cells; written only if any.

    Raises:
        UnreadableFile: the file is damaged further down.
    """
    seen = Survey()
    totals: Counter[str] = Counter()
    with RefusedRows(refused_to, file.mapping.header) as keep:
        for number, row in enumerate(file.rows(), start=1):
            if isinstance(row, Refused):
                seen.refused += 1
                seen.bad.extend(row.problems)
                keep.write(row)
            else:
                seen.rows += 1
                totals[row.currency] += row.amount
                if row.category is not None:
                    seen.categories.add(row.category)
            if on_row and number % 2_000 == 0:
                on_row(number)
    seen.totals = dict(sorted(totals.items()))
    return seen


def destination(
    ledger: Ledger, enricher: Enricher, workspace: Workspace, account: Account, names: set[str]
) -> Destination:
    """Each of the file's categories as ours, or as one of the workspace's own, made if missing.

    One that the workspace archived or merged is where what was its own goes; where that is none, rows are as those
    without.
    """
    meant = {}
    for name in sorted(names):
        ours = enricher.category_named(name)
        own = None if ours else ensure_category(ledger, workspace, name)
        meant[name] = (ours or str(own), enricher.categories[ours].kind if ours else "spending")
    with session("operator", workspace_id=workspace.workspace_id) as connection:
        tree = choices.categories(connection)
    categories = {name: (tree.standing(category_id), kind) for name, (category_id, kind) in meant.items()}
    return Destination(workspace, account, categories, tree)


def store(
    ledger: Ledger,
    file: DelimitedFile,
    to: Destination,
    enricher: Enricher,
    *,
    batch: UUID,
    rows: int,
    on_row: OnRow | None = None,
) -> Imported:
    """The second pass: append every usable row that is not there yet, and wait until live has decided them all.

    Args:
        batch: the import's own id, see `import_id`.
        rows: how many usable rows the survey found.
    """
    pace = Pace(rows)

    def progressed(progress: Progress) -> None:
        done = progress.decided + progress.already_there
        pace.reached(done)
        if on_row:
            on_row(done)

    appended = ledger.append_many("transaction", events(file, to, enricher, batch), on_progress=progressed)
    pace.reached(rows)
    return Imported(appended.inserted, appended.already_there, pace.elapsed, pace.tenths())


def events(file: DelimitedFile, to: Destination, enricher: Enricher, batch: UUID) -> Iterator[dict[str, Any]]:
    """The usable rows as transaction events, in the file's order."""
    recorded_at = datetime.now(UTC)
    actor_id = owner_of(to.workspace.workspace_id)
    owner = f"{to.workspace.workspace_id}\x1f{to.account.account_id}"
    occurrences: Counter[int] = Counter()
    in_use = OwnEnricher(enricher, to.tree)
    for row in file.rows():
        if isinstance(row, Refused):
            continue
        transaction_id = _transaction_id(owner, row, occurrences)
        found = enricher.enrich(row.merchant, mcc=row.mcc)
        enriched = in_use.own(found)
        category_id, kind = to.categories[row.category] if row.category is not None else (None, None)
        yield transaction(
            event_id=derived_id(transaction_id, "recorded"),
            workspace_id=to.workspace.workspace_id,
            actor_id=actor_id,
            source="import",
            occurred_at=_midnight(row.occurred_on),
            recorded_at=recorded_at,
            transaction_id=transaction_id,
            kind=_kind(row.amount, kind or _kind_of(enricher, found.category_id)),
            account_id=to.account.account_id,
            occurred_on=row.occurred_on,
            posted_on=row.posted_on,
            amount=row.amount,
            currency=row.currency,
            merchant=enriched.merchant,
            description=row.description,
            category_id=category_id or enriched.category_id,
            category_source="import" if category_id else enriched.category_source,
            category_confidence=None if category_id else enriched.category_confidence,
            decided_by=None if category_id else enriched.decided_by,
            mcc=row.mcc,
            note=row.note,
            import_id=batch,
        )


def _transaction_id(owner: str, row: Record, occurrences: Counter[int]) -> UUID:
    """One hash for a row that stands once in the file; what is kept of it is 64 bits and a count."""
    what = (owner, row.occurred_on, row.amount, row.currency, row.description or "")
    first = derived_id(*what, 1)
    short = first.int & 0xFFFF_FFFF_FFFF_FFFF
    occurrences[short] += 1
    number = occurrences[short]
    return first if number == 1 else derived_id(*what, number)


def _kind(amount: Decimal, kind_of_category: str) -> str:
    if kind_of_category == "transfer":
        return "transfer"
    if amount >= 0:
        return "expense"
    return "income" if kind_of_category == "income" else "refund"


def _kind_of(enricher: Enricher, category_id: str | None) -> str:
    return enricher.categories[category_id].kind if category_id else "spending"


@lru_cache(maxsize=16_384)
def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


class Pace:
    """Rows a second, by tenth of the way."""

    def __init__(self, rows: int, clock: Callable[[], float] = time.monotonic):
        self._rows, self._clock = rows, clock
        self._points = [(0, clock())]

    def reached(self, done: int) -> None:
        if done > self._points[-1][0]:
            self._points.append((done, self._clock()))

    @property
    def elapsed(self) -> float:
        return self._clock() - self._points[0][1]

    def tenths(self) -> list[int]:
        """Between reports the pace is taken as even. Empty for fewer than ten rows."""
        if self._rows < 10 or self._points[-1][0] < self._rows:
            return []
        marks = [self._at(self._rows * tenth / 10) for tenth in range(11)]
        return [round(self._rows / 10 / max(end - start, 1e-9)) for start, end in pairwise(marks)]

    def _at(self, row: float) -> float:
        """The moment at which `row` rows were done."""
        for (before, start), (after, end) in pairwise(self._points):
            if row <= after:
                return start + (end - start) * (row - before) / (after - before)
        return self._points[-1][1]


class RefusedRows:
    """Writes refused rows to a CSV file that exists only if there are any, and only when it is whole."""

    def __init__(self, path: Path | None, header: tuple[str, ...]):
        self._path, self._header = path, header
        self._file = None

    def __enter__(self) -> RefusedRows:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._file is None:
            return
        self._file.close()
        if kind is None:
            self._unfinished.replace(self._path)
        else:
            self._unfinished.unlink()

    def write(self, row: Refused) -> None:
        if self._path is None:
            return
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._unfinished.open("w", encoding="utf-8", errors="surrogateescape", newline="")
            self._writer = csv.writer(self._file)
            self._writer.writerow(("line", "reasons", *self._header))
        reasons = "; ".join(f"{problem.column}: {problem.reason}" for problem in row.problems)
        self._writer.writerow((row.line, reasons, *row.cells))

    @property
    def _unfinished(self) -> Path:
        return self._path.with_suffix(".part")
