"""What the mails about an account say. None holds a password; a code in one is good once, and not for long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mail:
    subject: str
    text: str


def confirm(url: str, code: str) -> Mail:
    return Mail(
        "Outlay: confirm your address",
        f"Somebody made an account with this address at {url}.\n\n"
        f"If it was you, confirm it within a day with this code:\n\n    {code}\n\n"
        "If it was not you, do nothing: without the code nobody can use the account.\n",
    )


def known_already(url: str) -> Mail:
    return Mail(
        "Outlay: you have an account already",
        f"Somebody tried to make an account with this address at {url}. There is one already, and nothing was "
        "changed.\nIf it was you and you do not know the password any more, ask for a new one there.\n",
    )


def reset(url: str, code: str) -> Mail:
    return Mail(
        "Outlay: choose a new password",
        f"Somebody asked for a new password for this address at {url}.\n\n"
        f"If it was you, choose one within an hour with this code:\n\n    {code}\n\n"
        "If it was not you, do nothing: the password stays as it is.\n",
    )


def invitation(url: str, workspace: str, code: str) -> Mail:
    return Mail(
        "Outlay: an invitation",
        f"Somebody invites you to {workspace} at {url}.\n\n"
        f"Log in there, or make an account with this code, and accept it:\n\n    {code}\n\n"
        "If you do not know what this is about, do nothing.\n",
    )


def password_changed(url: str, place: str) -> Mail:
    return Mail(
        "Outlay: your password was changed",
        f"The password of your account at {url} was changed from {place}.\n"
        "If it was not you, ask for a new password there at once: that ends every session.\n",
    )


def guessed_at(url: str, place: str, failures: int) -> Mail:
    return Mail(
        "Outlay: a login after wrong passwords",
        f"Somebody logged in to your account at {url} from {place}, after {failures} wrong passwords.\n"
        "If it was not you, change the password and end the other sessions.\n",
    )


def stolen(url: str, place: str) -> Mail:
    return Mail(
        "Outlay: a session was ended",
        f"A refresh token of your account at {url} was used twice, the second time from {place}: it may have been "
        "stolen.\nThe session that it belongs to was ended; log in again there.\n",
    )
