"""Mail addresses, as people give them and as they are compared."""

from __future__ import annotations

from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email


class NotAnAddress(ValueError):
    """The text is no mail address; says what is wrong."""


@dataclass(frozen=True)
class Address:
    """`text`: as it is kept and written to. `key`: what two spellings of one mailbox have in common."""

    text: str
    key: str


def parsed(given: str) -> Address:
    """An address; its domain in lower case, composed Unicode. Domains that only look alike stay apart.

    Raises:
        NotAnAddress: see there. Whether mail arrives is not looked up.
    """
    try:
        found = validate_email(given, check_deliverability=False)
    except EmailNotValidError as error:
        raise NotAnAddress(f"expected a mail address: {error}") from None
    return Address(found.normalized, f"{found.local_part.lower()}@{found.ascii_domain.lower()}")
