"""Delimited files as arguments: which column means what, and how values are written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingestion.sources.delimited import FIELDS

if TYPE_CHECKING:
    from ingestion.sources.delimited import DelimitedFile

_BETWEEN = re.compile(rf",(?=(?:{'|'.join(FIELDS)})=)")


def _told(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    told: dict[str, str] = {}
    for part in (part for value in values for part in _BETWEEN.split(value)):
        field, equals, column = part.partition("=")
        if not equals or field not in FIELDS or not column:
            raise click.BadParameter(f"expected FIELD=COLUMN with a field of {', '.join(FIELDS)}; got {part!r}")
        told[field] = column
    return told


_OPTIONS = (
    click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    click.option(
        "--map", "told", multiple=True, callback=_told, metavar="FIELD=COLUMN,...", help="Which column means what."
    ),
    click.option("--currency", metavar="CODE", help="ISO 4217 currency of rows without one of their own."),
    click.option(
        "--sign",
        type=click.Choice(["positive", "negative"]),
        default="positive",
        show_default=True,
        help="How the file writes money that was spent.",
    ),
    click.option(
        "--date-format", metavar="FORMAT", help="Such as %d/%m/%Y, where the file's dates can be read two ways."
    ),
)


def file_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The argument FILE and the options that say how to read it, as `opened` takes them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def opened(
    file: Path, *, told: dict[str, str], currency: str | None, sign: str, date_format: str | None
) -> DelimitedFile:
    """The file as these options say.

    Raises:
        UnreadableFile, UnknownColumns, AmbiguousDates: see `DelimitedFile`.
    """
    from ingestion.sources.delimited import DelimitedFile
    from outlay import money

    return DelimitedFile(
        file,
        told=told,
        currency=currency and currency.upper(),
        currencies=money.currencies(),
        spending_negative=sign == "negative",
        date_form=date_format,
    )
