"""A descriptor as banks print it, reduced to the merchant's name. Pure text, no reference data."""

from __future__ import annotations

import re
import unicodedata

from ingestion.enrich.words import CITIES, COMPANY, LOWER_CASE, REGIONS

# Who carried the payment, printed before the merchant: "SQ *CORNER BAKERY", "PAYPAL *NETFLIX".
_PROCESSOR = re.compile(
    r"^(?:paypal|pypl|pp|sq|tst|sumup|zettle|iz|sp|klarna|stripe|mollie|adyen|ccv|bck|google|dd|eb|lsp|nyx)\s*_?\*+\s*",
    re.IGNORECASE,
)
_BANK_PHRASE = re.compile(
    r"^(?:pos|eftpos|kartenzahlung|lastschrift|sepa|basislastschrift|contactless|visa debit|debit card|card payment to|"
    r"card purchase|direct debit|achat cb|paiement cb|carte|betaalautomaat|pago con tarjeta|interac|idp|purchase)\b"
    r"[\s:/-]+(?:purchase\b[\s:/-]*)?",
    re.IGNORECASE,
)
_STORE_NUMBER = re.compile(
    r"(?:#|\bno\.?|\bstore|\bfil(?:iale)?\.?|\bunit)\s*\d[\w-]*\*?|#\s*\w*\d\w*|\([^)]*(?:\)|$)", re.IGNORECASE
)
_REFERENCE = re.compile(r"\*\s*(?=\w*\d)\w+$|\*+\s*$")
_PHONE = re.compile(r"\+?\d[\d\s().-]{7,}\d")
_LONG_NUMBER = re.compile(r"(?<!^)\b[A-Za-z]{0,2}\d{3,}[\w-]*\b|\b\d{1,4}[/.-]\d{1,2}(?:[/.-]\d{2,4})?\b")
_SEPARATORS = re.compile(r"\s*//.*$|\s+[/|>]\s+")
_NOT_WORD = re.compile(r"[^\w]+|_+")
_SPACES = re.compile(r"\s+")
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "’": "", "'": "", "`": ""})

_VOWELS = frozenset("aeiouyäöüàáâéèêëíîïóôúûåøæœ")
MAX_LENGTH = 120


def fold(text: str) -> str:
    """Lower case without accents and apostrophes; every other mark becomes one space."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return _NOT_WORD.sub(" ", bare).strip()


def without_noise(description: str) -> str:
    """`description` without payment processor, bank phrase, store number, reference, phone number and place.

    What is nothing but noise comes back with its spaces collapsed: a name is never lost.
    """
    text = unicodedata.normalize("NFKC", description)
    collapsed = _SPACES.sub(" ", text).strip()
    text = _BANK_PHRASE.sub("", collapsed)
    text = _PROCESSOR.sub("", text)
    text = _SEPARATORS.sub(" ", text)
    text = _STORE_NUMBER.sub(" ", text)
    text = _REFERENCE.sub("", text.strip())
    text = _LONG_NUMBER.sub(" ", _PHONE.sub(" ", text))
    words = text.replace("*", " ").split()
    while words and not any(char.isalnum() for char in words[-1]):
        words.pop()
    return " ".join(_without_tail(words)).strip(" -,.;:/#&") or collapsed


def _without_tail(words: list[str]) -> list[str]:
    """Without company form, region and city at the end, as long as a name is left before them."""
    kept = list(words)
    while len(kept) > 1:
        last = fold(kept[-1])
        place = last in CITIES or (last in REGIONS and len(kept) > 2)
        if not (place or last in COMPANY or not last):
            break
        kept.pop()
    return kept


def display_name(text: str) -> str:
    """`text` in title case where it came in one case only; mixed case is the merchant's own way to write it."""
    if text != text.upper() and text != text.lower():
        return text[:MAX_LENGTH].rstrip()
    titled = " ".join(_title(word, first=not place) for place, word in enumerate(text.lower().split()))
    return titled[:MAX_LENGTH].rstrip()


def _title(word: str, *, first: bool) -> str:
    if word in LOWER_CASE and not first:
        return word
    if len(word) <= 4 and not _VOWELS.intersection(word):
        return word.upper()  # an abbreviation: TTC, BVG, JJ
    return "-".join(part[:1].upper() + part[1:] for part in word.split("-"))
