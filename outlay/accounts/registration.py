"""Making an account: from an address and a password to a person with a workspace of their own.

Nothing tells whether an address had an account before: the answer, and the time that it takes, are the same, and what
became of it is in the mail. Where no mail server is set, an address is taken for its owner's, and the account is good
at once. Only then does anything about a person enter the log.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from ingestion import events
from ingestion.events import derived_id, new_id
from outlay.accounts import addresses, attempts, audit, invitations, mailed, mails, outbox, passwords
from outlay.accounts.addresses import Address
from outlay.accounts.errors import NotAdmitted, SignUpClosed, TooManyAttempts
from outlay.accounts.origin import Origin
from outlay.accounts.process import Accounts
from outlay.db import session
from outlay.ledger.members import founding


@dataclass(frozen=True)
class SignUp:
    """What somebody gives besides address and password. `currency` and `time_zone` are their first workspace's too."""

    name: str
    currency: str
    time_zone: str
    locale: str | None = None


def sign_up(
    accounts: Accounts,
    given: SignUp,
    *,
    email: str,
    password: str,
    origin: Origin,
    by_operator: bool = False,
    invitation: str | None = None,
) -> None:
    """Make an account, or send its owner a mail where there is one.

    Raises:
        SignUpClosed: this installation takes nobody by themselves, and this is neither by whoever runs it nor with the
            code of an invitation that is open.
        NotAnAddress, WeakPassword, TooManyAttempts: see there.
        Refused, KafkaUnavailable: the events cannot be made; nothing was stored.
    """
    address = addresses.parsed(email)
    with session("auth", using=accounts.settings, autocommit=True) as connection:
        attempts.admit(connection, attempts.SIGN_UPS, origin.place)
        needed = None if accounts.settings.sign_up == "open" or by_operator else invitation or ""
        if needed is not None and not invitations.is_good(connection, accounts, needed):
            raise _closed()
        passwords.check(password, about=(address.text, given.name))
        kept = passwords.hashed(password)
        mail = None
        if not accounts.post.works or _may_mail(connection, address):
            with connection.transaction():
                mail = _stored(connection, accounts, given, address, kept, origin, needed)
    if mail is not None:
        accounts.post.send(mail, to=address.text)
    accounts.relay.tell()


def confirm(accounts: Accounts, code: str, *, password: str, origin: Origin) -> None:
    """Show that the address is theirs, with the code of the mail; the account is good from now on.

    The password too: of two who signed up with one address, the code is of the last, and the mailbox of one.

    Raises:
        NotAdmitted: the code is not good, or is of a sign-up with another password: the code stays good then.
        TooManyAttempts: from this place. Refused, KafkaUnavailable: as of `sign_up`.
    """
    with session("auth", using=accounts.settings, autocommit=True) as connection:
        attempts.admit(connection, attempts.LOGINS_FROM_ONE, origin.place)
        with connection.transaction():
            user_id = mailed.redeem(connection, code, "confirm")
            (kept,) = connection.execute(
                "SELECT password_hash FROM auth.users WHERE user_id = %s", (user_id,)
            ).fetchone()
            if not passwords.matches(kept, password):
                raise NotAdmitted("this is not the password of the last sign-up with this address: sign up again")
            _welcome(connection, accounts, user_id, origin)
    accounts.relay.tell()


def _stored(
    connection: psycopg.Connection,
    accounts: Accounts,
    given: SignUp,
    address: Address,
    kept: str,
    origin: Origin,
    invitation: str | None,
) -> mails.Mail | None:
    """The mail to send. An address that nobody has confirmed is taken over by whoever signs up last."""
    url = accounts.settings.public_url
    user_id, fresh = connection.execute(
        "INSERT INTO auth.users AS u (user_id, email, email_key, password_hash, password_changed_at, sign_up, "
        "profile_version, created_at) VALUES (%(id)s, %(email)s, %(key)s, %(hash)s, %(now)s, %(given)s, 0, %(now)s) "
        "ON CONFLICT (email_key) DO UPDATE SET "
        "email = CASE WHEN u.sign_up IS NULL THEN u.email ELSE excluded.email END, "
        "password_hash = CASE WHEN u.sign_up IS NULL THEN u.password_hash ELSE excluded.password_hash END, "
        "sign_up = CASE WHEN u.sign_up IS NULL THEN NULL ELSE excluded.sign_up END, "
        "created_at = CASE WHEN u.sign_up IS NULL THEN u.created_at ELSE excluded.created_at END "
        "RETURNING user_id, sign_up IS NOT NULL",
        {
            "id": new_id(),
            "email": address.text,
            "key": address.key,
            "hash": kept,
            "now": datetime.now(UTC),
            "given": Jsonb(asdict(given)),
        },
    ).fetchone()
    if fresh and invitation is not None and not invitations.make_account_with(connection, invitation, user_id):
        raise _closed()
    if not fresh:
        audit.record(connection, "sign_up_of_known_address", origin, user_id=user_id)
        return mails.known_already(url)
    if accounts.post.works:
        code = mailed.issue(connection, user_id, "confirm")
        audit.record(connection, "signed_up", origin, user_id=user_id)
        return mails.confirm(url, code)
    _welcome(connection, accounts, user_id, origin)
    return None


def _welcome(connection: psycopg.Connection, accounts: Accounts, user_id: UUID, origin: Origin) -> None:
    """Make the account good, and its person and first workspace known."""
    email, given = connection.execute(
        "SELECT email, sign_up FROM auth.users WHERE user_id = %s AND sign_up IS NOT NULL", (user_id,)
    ).fetchone()
    connection.execute("UPDATE auth.users SET sign_up = NULL, profile_version = 1 WHERE user_id = %s", (user_id,))
    outbox.put(connection, accounts.ledger, "user", _first_events(user_id, email, SignUp(**given)), user_id=user_id)
    audit.record(connection, "account_made", origin, user_id=user_id)


def _closed() -> SignUpClosed:
    return SignUpClosed("accounts are made by whoever runs this installation, or with an invitation: each makes one")


def _may_mail(connection: psycopg.Connection, address: Address) -> bool:
    """Whether the address may get another mail now; where not, nothing is changed that only a mail could tell of."""
    try:
        attempts.admit(connection, attempts.MAILS, address.key)
    except TooManyAttempts:
        return False
    return True


def _first_events(user_id: UUID, email: str, given: SignUp) -> list[dict[str, Any]]:
    """The person, their membership and their workspace, under ids that follow from the person's."""
    person = events.entity(
        entity="user",
        entity_id=user_id,
        state={"name": given.name, "email": email, "locale": given.locale, "time_zone": given.time_zone},
        workspace_id=None,
        source="api",
        event_id=derived_id(user_id, "user", "created"),
        actor_id=user_id,
    )
    home = {"name": given.name, "currency": given.currency, "time_zone": given.time_zone}
    return [person, *founding(derived_id(user_id, "workspace"), user_id, home)]
