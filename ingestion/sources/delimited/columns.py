"""Which column of a file means what: as told, or recognised by its name in several languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass

FIELDS = (
    "date",
    "posted",
    "merchant",
    "description",
    "amount",
    "debit",
    "credit",
    "currency",
    "category",
    "mcc",
    "note",
)
"""What a column can mean. `debit` and `credit` together stand for `amount`."""

_NAMES = {
    "date": """date; transaction date; purchase date; trans date; transaction_date; datum; buchungstag;
        buchungsdatum; kaufdatum; date operation; date de l operation; date d operation; fecha;
        fecha operacion; data; data operazione; transactiedatum; boekdatum; dato;
        transaktionsdatum; paivamaara; occurred on; day; time; timestamp; completed date;
        started date""",
    "posted": """posted; posted date; posting date; post date; posted on; booking date; wertstellung; valuta;
        valutadatum; date valeur; fecha valor; data valuta; value date; rentedatum;
        bokforingsdatum""",
    "merchant": """merchant; merchant name; payee; vendor; store; shop; seller; payee name; empfanger;
        zahlungsempfanger; beguenstigter zahlungspflichtiger; begunstigter zahlungspflichtiger;
        auftraggeber empfanger; name; counterparty; counterparty name; beneficiaire; marchand;
        commercant; comercio; beneficiario; esercente; begunstigde; naam omschrijving;
        handelaar; mottagare; where""",
    "description": """description; details; transaction description; memo; narrative; reference; text; particulars;
        verwendungszweck; buchungstext; beschreibung; libelle; libelle operation; descripcion;
        concepto; descrizione; causale; omschrijving; mededelingen; beskrivning; tekst; item;
        what; title""",
    "amount": """amount; sum; value; price; cost; total; transaction amount; betrag; umsatz; montant; importe;
        monto; cantidad; importo; bedrag; bedrag eur; belopp; belob; summa; valor; amount cad;
        amount usd; amount eur; amount gbp; betrag eur; billing amount""",
    "debit": """debit; withdrawal; withdrawals; money out; paid out; soll; ausgang; ausgaben; lastschrift;
        cargo; adeudo; addebito; af; uitgaven; debit amount; outflow; out; expense; spent""",
    "credit": """credit; deposit; deposits; money in; paid in; haben; eingang; einnahmen; gutschrift; abono;
        accredito; bij; inkomsten; credit amount; inflow; in; income; received""",
    "currency": """currency; ccy; currency code; wahrung; waehrung; devise; divisa; moneda; valuta code; valuta
        iso; munt; iso currency; transaction currency""",
    "category": """category; kategorie; categorie; categoria; kategori; type of expense; expense category; budget
        category; tag; label; group""",
    "mcc": "mcc; mcc code; merchant category code; merchant category",
    "note": "note; notes; comment; comments; remark; notiz; bemerkung; kommentar; remarque; nota; notas; opmerking",
}
_NOT_WORD = re.compile(r"[\W_]+")


class UnknownColumns(ValueError):
    """No column is known for what a row must have, or a named one is not in the file."""


@dataclass(frozen=True)
class Mapping:
    """Field name to the place of its column."""

    header: tuple[str, ...]
    places: AnyMapping[str, int]

    def column(self, field: str) -> str:
        return self.header[self.places[field]]

    def names(self) -> dict[str, str]:
        """Field to column name, as `--map` takes them."""
        return {field: self.header[place] for field, place in self.places.items()}

    def complete(self) -> bool:
        money = "amount" in self.places or {"debit", "credit"} & self.places.keys()
        return "date" in self.places and bool(money)


def recognised(header: Sequence[str], told: AnyMapping[str, str]) -> Mapping:
    """The meaning of `header`'s columns: `told` (field to column name) first, the others by name.

    Raises:
        UnknownColumns: a told column is not in the header. That date and amount are known is for the caller to see.
    """
    folded = [_fold(name) for name in header]
    places: dict[str, int] = {}
    for field, column in told.items():
        if _fold(column) not in folded:
            raise UnknownColumns(f"expected a column {column!r} for {field}, the file has: {', '.join(header)}")
        places[field] = header.index(column) if column in header else folded.index(_fold(column))
    taken = set(places.values())
    for field in FIELDS:
        if field in places or (field in ("debit", "credit") and "amount" in places):
            continue
        for name in _ALIASES[field]:
            if name in folded and folded.index(name) not in taken:
                places[field] = folded.index(name)
                taken.add(places[field])
                break
    return Mapping(tuple(header), places)


def _fold(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.strip().casefold())
    return _NOT_WORD.sub(" ", "".join(char for char in decomposed if not unicodedata.combining(char))).strip()


_ALIASES = {field: [_fold(name) for name in names.split(";")] for field, names in _NAMES.items()}
