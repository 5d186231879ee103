"""Any password that is long enough and hard to guess is taken, exactly as it is; nothing else is."""

import pytest

from outlay.accounts import passwords
from outlay.accounts.errors import WeakPassword


@pytest.mark.parametrize(
    "good",
    [
        "correct horse battery staple",
        "ñandú über Größe 17",
        "  leading and trailing blanks ",
        "日本語のパスワードです。",
        "only-lower-case-letters-here",
        "kT9 vexing quartz lamps " * 3 + "over 64 characters long",
        "🐢🐢🐢 slow and steady",
    ],
)
def test_a_password_of_any_characters_is_taken(good):
    passwords.check(good, about=("anna@example.org", "Anna"))


@pytest.mark.parametrize("weak", ["", "short1!", "password123", "Passw0rd!!", "qwertyuiop", "1234567890", "a" * 16])
def test_a_short_or_common_password_is_refused(weak):
    with pytest.raises(WeakPassword):
        passwords.check(weak)


@pytest.mark.parametrize("weak", ["anna.schmidt", "annaschmidt1", "outlay2026", "schmidt.anna"])
def test_what_is_known_of_its_owner_and_of_the_product_makes_no_password(weak):
    with pytest.raises(WeakPassword):
        passwords.check(weak, about=("anna.schmidt@example.org", "Anna Schmidt"))


def test_too_long_a_password_is_refused_before_anything_is_computed():
    with pytest.raises(WeakPassword, match="10 to 1,000 characters, got 1,001"):
        passwords.check("x" * 1_001)


@pytest.mark.parametrize(
    "other", ["Correct horse battery staple ", "correct horse battery staple", "Correct horse battery stapl"]
)
def test_a_password_is_recognised_exactly_as_it_came(other):
    kept = passwords.hashed("Correct horse battery staple")
    assert passwords.matches(kept, "Correct horse battery staple")
    assert not passwords.matches(kept, other)


def test_a_long_password_counts_to_its_last_character():
    kept = passwords.hashed("x" * 999 + "a")
    assert not passwords.matches(kept, "x" * 999 + "b")


def test_it_is_kept_as_argon2id_with_a_salt_of_its_own():
    one, two = passwords.hashed("the same password"), passwords.hashed("the same password")
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert one != two


def test_a_hash_of_weaker_parameters_is_known_as_outdated():
    from argon2 import PasswordHasher

    assert passwords.outdated(PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash("an old one"))
    assert not passwords.outdated(passwords.hashed("a new one"))


def test_what_is_no_hash_matches_nothing():
    assert not passwords.matches("not a hash", "not a hash")
