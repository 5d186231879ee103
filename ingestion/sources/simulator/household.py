"""Who spends: households with their members, accounts and cards. The first two are always the same, more are alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from ingestion.events import owner_of
from ingestion.sources.simulator.chance import chance, identity

FOUNDED = date(2015, 1, 1)
"""When every household, account and budget was set up: before any spending, and the same for every period."""


@dataclass(frozen=True)
class Member:
    user_id: UUID
    name: str
    email: str
    card_id: UUID
    salary: float
    """A month, net, in the household's currency."""
    employer: str


@dataclass(frozen=True)
class Household:
    index: int
    workspace_id: UUID
    name: str
    currency: str
    time_zone: str
    locale: str
    region: str
    """Key of `catalogue.SHOPS`."""
    checking_id: UUID
    savings_id: UUID
    members: tuple[Member, ...]
    lessons_id: UUID
    """A category of the household's own."""


_REGIONS = {
    "de": (
        "EUR",
        "Europe/Berlin",
        "de-DE",
        ("NORDLICHT SOFTWARE GMBH", "STADTKLINIK BERLIN", "ATELIER VIER GMBH"),
        2900,
    ),
    "ca": (
        "CAD",
        "America/Toronto",
        "en-CA",
        ("MAPLEWORKS ENGINEERING INC", "LAKESHORE SCHOOL BOARD", "NORTH SHORE MEDIA"),
        4300,
    ),
}
_FIRST = (("Hoffmann", "de", ("Clara", "Jonas")), ("Tremblay", "ca", ("Maya", "Olivier")))
_SURNAMES = (
    *("Lindner", "Okafor", "Nguyen", "Rossi", "Kowalski", "Haddad", "Silva", "Petrov"),
    *("Sato", "Moreau", "Fischer", "Campbell", "Gagnon", "Richter", "Adeyemi", "Costa"),
)
_NAMES = ("Ada", "Ben", "Chloe", "David", "Elif", "Felix", "Grace", "Hugo", "Ines", "Jamal", "Karin", "Leo", "Mina")


def households(seed: int | str, count: int) -> list[Household]:
    """The first `count` households of the seed."""
    return [_household(seed, index) for index in range(count)]


def _household(seed: int | str, index: int) -> Household:
    rng = chance(seed, "household", index)
    if index < len(_FIRST):
        surname, region, given = _FIRST[index]
    else:
        surname = _SURNAMES[index % len(_SURNAMES)]
        region, given = ("de", "ca")[index % 2], tuple(rng.sample(_NAMES, 2))
    again = f" {index // len(_SURNAMES) + 1}" if index >= len(_SURNAMES) + len(_FIRST) else ""
    currency, time_zone, locale, employers, salary = _REGIONS[region]
    workspace_id = identity(seed, "workspace", index)
    members = tuple(
        Member(
            owner_of(workspace_id) if place == 0 else identity(seed, "user", index, place),
            f"{name} {surname}",
            f"{name}.{surname}@example.com".lower(),
            identity(seed, "card", index, place),
            salary * rng.uniform(0.85, 1.25),
            rng.choice(employers),
        )
        for place, name in enumerate(given)
    )
    return Household(
        index,
        workspace_id,
        f"{surname} household{again}",
        currency,
        time_zone,
        locale,
        region,
        identity(seed, "checking", index),
        identity(seed, "savings", index),
        members,
        identity(seed, "category", index, "lessons"),
    )
