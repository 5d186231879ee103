"""How anything about an account fails. No message tells whether an address has an account, or holds a secret."""

from __future__ import annotations


class NotAdmitted(Exception):
    """Wrong credentials, or none that are still good."""


class NotConfirmed(Exception):
    """The password is right, and the address has yet to be confirmed with the mail that went there."""


class TooManyAttempts(Exception):
    """More attempts than are allowed in a while. `retry_after`: whole seconds."""

    def __init__(self, retry_after: int):
        super().__init__(f"too many attempts: try again in {retry_after} s")
        self.retry_after = retry_after


class WeakPassword(Exception):
    """A new password that is too short or too easily guessed; the message says what to do."""


class SignUpClosed(Exception):
    """This installation takes nobody who was not invited."""


class ProfileBehind(Exception):
    """The person's newest profile is not in live yet, so that nothing can be changed about it. Trying again helps."""
