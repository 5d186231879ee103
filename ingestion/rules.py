"""What a transaction event must fulfil, as named pure rules.

The ledger checks them before an event is appended; silver checks the same rules, under the same names, on what reached
the log some other way, and quarantines what breaks one. A rule looks at the event alone, so that judging it again later
gives the same answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any

from ingestion.events import NIL

EARLIEST = date(1900, 1, 1)
LATEST = timedelta(days=366)
"""How far after the day it was recorded (UTC) a transaction may be dated: bookings ahead are real, 2206 is a typo."""

MAX_LENGTH = {
    "merchant": 200,
    "description": 500,
    "counterparty": 200,
    "note": 2_000,
    "external_id": 50,
    "category_id": 100,
    "decided_by": 100,
}
"""Longest text of each field, in characters."""
MAX_TAGS, MAX_TAG_LENGTH, MAX_LINES = 20, 50, 200

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    """One broken rule: its stable name, the field at fault, and one clear line for the person."""

    rule: str
    field: str
    message: str


def problems(event: Event, currencies: Collection[str]) -> list[Problem]:
    """Every rule that the transaction event breaks; empty for a good one.

    Args:
        event: a transaction event of `ingestion.events`, conforming to the contract.
        currencies: the ISO 4217 codes that are known.
    """
    found = [] if event["currency"] in currencies else [_unknown_currency(event)]
    for name, (field, rule) in RULES.items():
        message = rule(event)
        if message:
            found.append(Problem(name, field, message))
    return found


def _unknown_currency(event: Event) -> Problem:
    return Problem(
        "currency_known", "currency", f"expected an ISO 4217 currency code such as EUR, got {event['currency']!r}"
    )


def _workspace_given(event: Event) -> str | None:
    return "expected a workspace, got none" if (event["workspace_id"] or NIL) == NIL else None


def _version_positive(event: Event) -> str | None:
    return f"expected a version from 1, got {event['version']}" if event["version"] < 1 else None


def _operation_known(event: Event) -> str | None:
    return "expected recorded, amended, voided or restored" if event["operation"] == "unknown" else None


def _kind_known(event: Event) -> str | None:
    return "expected expense, refund, income or transfer" if event["kind"] == "unknown" else None


def _status_known(event: Event) -> str | None:
    return "expected pending or posted" if event["status"] == "unknown" else None


def _sign_matches_kind(event: Event) -> str | None:
    kind, amount = event["kind"], event["amount"]
    if kind == "expense" and amount < 0:
        return f"expense takes money out: expected an amount of 0 or more, got {amount}"
    if kind in ("refund", "income") and amount > 0:
        return f"{kind} brings money in: expected an amount of 0 or less, got {amount}"
    return None


def _lines_sum(event: Event) -> str | None:
    lines = event["lines"]
    if not lines:
        return None
    total = sum(line["amount"] for line in lines)
    return None if total == event["amount"] else f"the lines sum to {total}, the amount is {event['amount']}"


def _lines_few(event: Event) -> str | None:
    count = len(event["lines"])
    return f"expected at most {MAX_LINES} lines, got {count}" if count > MAX_LINES else None


def _line_ids_unique(event: Event) -> str | None:
    ids = [line["line_id"] for line in event["lines"]]
    return "expected a line_id of its own for each line" if len(set(ids)) != len(ids) else None


def _plausible(field: str) -> Callable[[Event], str | None]:
    def rule(event: Event) -> str | None:
        day = event[field]
        if day is None or day < EARLIEST:
            return None if day is None else f"expected a date from {EARLIEST}, got {day}"
        recorded = event["recorded_at"].astimezone(UTC).date()
        if day - recorded > LATEST:
            return f"expected a date at most {LATEST.days} days after it was recorded ({recorded}), got {day}"
        return None

    return rule


def _short(field: str, limit: int) -> Callable[[Event], str | None]:
    def rule(event: Event) -> str | None:
        text = event[field]
        return None if text is None or len(text) <= limit else f"expected at most {limit} characters, got {len(text)}"

    return rule


def _tags_valid(event: Event) -> str | None:
    tags = event["tags"]
    if len(tags) > MAX_TAGS:
        return f"expected at most {MAX_TAGS} tags, got {len(tags)}"
    for tag in tags:
        if not 1 <= len(tag) <= MAX_TAG_LENGTH:
            return f"expected tags of 1 to {MAX_TAG_LENGTH} characters, got one of {len(tag)}"
    return "expected each tag once" if len(set(tags)) != len(tags) else None


def _mcc_valid(event: Event) -> str | None:
    mcc = event["mcc"]
    return None if mcc is None or re.fullmatch("[0-9]{4}", mcc) else f"expected 4 digits, got {mcc!r}"


def _confidence_valid(event: Event) -> str | None:
    confidence = event["category_confidence"]
    return None if confidence is None or 0 <= confidence <= 1 else f"expected a number from 0 to 1, got {confidence}"


RULES: dict[str, tuple[str, Callable[[Event], str | None]]] = {
    "workspace_given": ("workspace_id", _workspace_given),
    "version_positive": ("version", _version_positive),
    "operation_known": ("operation", _operation_known),
    "kind_known": ("kind", _kind_known),
    "status_known": ("status", _status_known),
    "sign_matches_kind": ("amount", _sign_matches_kind),
    "lines_sum": ("lines", _lines_sum),
    "lines_few": ("lines", _lines_few),
    "line_ids_unique": ("lines", _line_ids_unique),
    "date_plausible": ("occurred_on", _plausible("occurred_on")),
    "posted_date_plausible": ("posted_on", _plausible("posted_on")),
    **{f"{field}_short": (field, _short(field, limit)) for field, limit in MAX_LENGTH.items()},
    "tags_valid": ("tags", _tags_valid),
    "mcc_valid": ("mcc", _mcc_valid),
    "confidence_valid": ("category_confidence", _confidence_valid),
}
"""Name -> (field at fault, rule). With `currency_known`, which needs the list of currencies, these are all of them."""

NAMES = ("currency_known", *RULES)

RELEASABLE = frozenset(
    {
        *("lines_few", "date_plausible", "posted_date_plausible", "tags_valid", "mcc_valid", "confidence_valid"),
        *("description_short", "counterparty_short", "note_short", "external_id_short", "decided_by_short"),
    }
)
"""Rules that say what is likely: an event that breaks one of these alone may be released from quarantine unchanged.

Without the others a figure would be wrong, nobody could say what it is of, or an index could not hold it.
"""
