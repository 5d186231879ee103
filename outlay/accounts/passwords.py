"""Passwords: which are taken, how they are kept, and how one is recognised.

A password is used exactly as it came: not trimmed, cut or folded, of any characters. It is kept as Argon2id with the
parameters of OWASP's Password Storage Cheat Sheet (19 MiB, two passes, one lane).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from zxcvbn import zxcvbn

from outlay.accounts.errors import WeakPassword

SHORTEST, LONGEST = 10, 1_000
"""Characters of a password."""
_ENOUGH = 3  # of zxcvbn's 0 to 4: more than 10^8 guesses
_LOOKED_AT = 40  # characters that the estimate reads: what it costs grows steeply with signs that may stand for letters
_WORDS = ("outlay", "expense", "expenses", "ausgaben")

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_at_once = threading.BoundedSemaphore(4)  # 19 MiB each; the others wait
_estimating = threading.Lock()  # zxcvbn keeps the words about one person where all threads see them
NOBODY = _hasher.hash("the password of nobody")
"""Compared with where there is no account, so that the answer takes as long."""


def check(password: str, *, about: Iterable[str | None] = ()) -> None:
    """Refuse a new password that is too short or easily guessed, such as one made of what is known `about` its owner.

    The estimate (zxcvbn) knows 30,000 common passwords, names and words, and what people do to them.

    Raises:
        WeakPassword: see there.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(f"expected a password of {SHORTEST} to {LONGEST:,} characters, got {len(password):,}")
    known = [part for text in about if text for part in (text, *text.replace("@", " ").replace(".", " ").split())]
    with _estimating:
        estimate = zxcvbn(password[:_LOOKED_AT], user_inputs=[*_WORDS, *known])
    if estimate["score"] < _ENOUGH:
        why = [estimate["feedback"]["warning"], *estimate["feedback"]["suggestions"]]
        raise WeakPassword(
            " ".join(f"{reason.rstrip('.')}." for reason in ["it is too easily guessed", *why] if reason)
        )


def hashed(password: str) -> str:
    """What is kept of a password: its hash, with salt and parameters."""
    with _at_once:
        return _hasher.hash(password)


def matches(kept: str, password: str) -> bool:
    """Whether `kept` was made of this password."""
    with _at_once:
        try:
            return _hasher.verify(kept, password)
        except (VerifyMismatchError, InvalidHashError):
            return False


def outdated(kept: str) -> bool:
    """Whether it was made with other parameters than new ones are."""
    return _hasher.check_needs_rehash(kept)
