"""Mail addresses, as people give them and as they are compared."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email


class NotAnAddress(ValueError):
    """The text is no mail address; says what is wrong."""


def normalised(given: str) -> str:
    """The address as it is kept: of a domain in lower case, in composed Unicode.

    Raises:
        NotAnAddress: see there. Whether mail arrives is not looked up.
    """
    try:
        return validate_email(given, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise NotAnAddress(f"expected a mail address: {error}") from None


def compared(address: str) -> str:
    """What two spellings of one mailbox have in common."""
    return address.casefold()
