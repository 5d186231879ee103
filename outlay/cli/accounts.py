"""``outlay accounts``: who has an account, shut and opened; sessions ended; keys changed; the audit log checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from outlay.cli import Failure
from outlay.cli.options import json_option
from outlay.settings import settings

if TYPE_CHECKING:
    import psycopg


@click.group(epilog="Example: outlay accounts list")
def accounts() -> None:
    """See who has an account, shut one, end sessions, change the signing key, and check the audit log."""


@accounts.command("list", epilog="Example: outlay accounts list --json | jq '.[] | select(.state == \"good\")'")
@json_option
def list_(as_json: bool) -> None:
    """List the accounts of this installation."""
    from outlay.accounts import people

    with _auth() as connection:
        found = people.listed(connection)
    if as_json:
        click.echo(json.dumps([asdict(account) for account in found], default=str))
        return
    for account in found:
        seen = f"{account.seen_at:%Y-%m-%d %H:%M} UTC" if account.seen_at else "never"
        click.echo(f"{account.email:<40} {account.state:<12} {account.sessions:>3} sessions   last seen {seen}")
    if not found:
        click.echo("nobody has an account yet: POST /api/auth/sign-up makes one")


@accounts.command(epilog="Example: outlay accounts add anna@example.org --name Anna --currency EUR")
@click.argument("email")
@click.option("--name", required=True, help="What they are called.")
@click.option("--currency", default="EUR", show_default=True, help="Of their first workspace, ISO 4217.")
@click.option("--time-zone", default="UTC", show_default=True, help="Such as Europe/Berlin.")
@click.password_option(help="Asked for where it is not given; others on this machine can see a command's options.")
def add(email: str, name: str, currency: str, time_zone: str, password: str) -> None:
    """Make an account with a workspace of its own, also where nobody may sign up.

    With a mail server, it is good once the code of the mail was sent to POST /api/auth/confirm.
    """
    import httpx

    given = {"email": email, "password": password, "name": name, "currency": currency, "time_zone": time_zone}
    key = settings().api_token.get_secret_value()
    try:
        answer = httpx.post(
            f"{settings().app_url}/api/auth/sign-up", json=given, headers={"Authorization": f"Bearer {key}"}, timeout=30
        )
    except httpx.HTTPError as error:
        raise Failure(f"the app does not answer ({error}): run `outlay up`") from None
    if answer.is_error:
        raise Failure(answer.json().get("detail", answer.text))
    click.echo(f"{email}: {answer.json()['detail']}")


@accounts.command(epilog="Example: outlay accounts admit anna@example.org --workspace Personal --role owner")
@click.argument("email")
@click.option("--workspace", required=True, metavar="NAME", help="Its id, or the name of one that no account owns.")
@click.option("--role", type=click.Choice(["owner", "editor", "viewer"]), default="viewer", show_default=True)
def admit(email: str, workspace: str, role: str) -> None:
    """Let somebody into a workspace, such as one that was imported or simulated."""
    from ingestion.events import owner_of
    from outlay.accounts import audit as audit_log
    from outlay.accounts import people
    from outlay.accounts.origin import COMMAND
    from outlay.db import session
    from outlay.ledger.commands import KafkaUnavailable, Ledger, Refused
    from outlay.ledger.members import joining
    from outlay.ledger.workspaces import named

    found = named(workspace)
    if len(found) != 1:
        raise Failure(f"expected the name or id of one workspace, {workspace} is that of {len(found)}")
    there = found[0].workspace_id
    with _auth() as connection:
        user_id = people.user_of(connection, email, good=True)
    with session("operator", workspace_id=there) as connection:
        event = joining(connection, there, user_id, role, by=owner_of(there))
    if event is None:
        raise Failure(f"{email} is in {workspace} already: an owner of it changes roles")
    try:
        with Ledger() as ledger:
            answer = ledger.append("user", event, wait=30)
    except (KafkaUnavailable, Refused) as error:
        raise Failure(str(error)) from error
    if answer.decision != "accepted":
        raise Failure(f"live says {answer.decision}: see `outlay status`, and run it again")
    with _auth() as connection:
        audit_log.record(connection, "admitted", COMMAND, user_id=user_id, workspace_id=str(there), role=role)
    click.echo(f"{email} is in {found[0].name or workspace} as its {role}")


@accounts.command(epilog="Example: outlay accounts disable anna@example.org")
@click.argument("email")
def disable(email: str) -> None:
    """Shut an account: its sessions and tokens end at once, and nobody logs in to it. What it recorded stays."""
    from outlay.accounts import people

    with _auth() as connection:
        ended = people.disable(connection, email)
    click.echo(f"{email} is disabled, {ended} sessions ended")


@accounts.command(epilog="Example: outlay accounts enable anna@example.org")
@click.argument("email")
def enable(email: str) -> None:
    """Open an account that was shut. Its sessions and tokens stay ended."""
    from outlay.accounts import people

    with _auth() as connection:
        people.enable(connection, email)
    click.echo(f"{email} may log in again")


@accounts.command("end-sessions", epilog="Example: outlay accounts end-sessions anna@example.org")
@click.argument("email", required=False)
@click.option("--all", "everybody", is_flag=True, help="Of every account.")
def end_sessions(email: str | None, everybody: bool) -> None:
    """End every session of an account, or of all."""
    from outlay.accounts import people

    if (email is None) != everybody:
        raise click.UsageError("expected an EMAIL or --all")
    with _auth() as connection:
        ended = people.end_sessions(connection, email)
    click.echo(f"{ended} sessions ended")


@accounts.command("rotate-key", epilog="Example: outlay accounts rotate-key")
def rotate_key() -> None:
    """Sign access tokens with a new key. Those signed before stay good until they are over, a quarter of an hour."""
    from outlay.accounts.access_tokens import LIFETIME
    from outlay.accounts.signing_keys import rotate

    with _auth() as connection:
        kid = rotate(connection, settings(), lifetime=LIFETIME)
    click.echo(f"new tokens are signed with {kid} within a minute")


@accounts.command(epilog="Example: outlay accounts audit --verify --json | jq -r .head")
@click.option("--of", "email", metavar="EMAIL", help="Only this account's entries.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most this many.")
@click.option("--verify", is_flag=True, help="Follow the chain of hashes instead, and print its newest.")
@json_option
def audit(email: str | None, limit: int, verify: bool, as_json: bool) -> None:
    """Show what happened to accounts, newest first; or check that no entry was changed, removed or put in.

    A cut at the end shows when the newest hash, or the number of entries, is not what it was: note both down elsewhere.
    """
    from outlay.accounts import audit as log
    from outlay.accounts import people

    with _auth() as connection:
        if verify:
            whole = log.verify(connection)
            said = f"{whole.entries:,} entries, none changed; the newest hash is {whole.head}"
            click.echo(json.dumps(asdict(whole)) if as_json else said)
            return
        user_id = people.user_of(connection, email) if email else None
        entries = list(log.entries(connection, user_id=user_id, limit=limit))
    if as_json:
        click.echo(json.dumps(entries))
        return
    for entry in entries:
        details = " ".join(f"{name}={value}" for name, value in entry["details"].items())
        place = entry["address"] or entry["client"]
        click.echo(f"{entry['at'][:19]}Z  {entry['event']:<26} {entry['user_id'] or '-':<37} {place or '-'} {details}")


@contextmanager
def _auth() -> Iterator[psycopg.Connection]:
    from outlay.accounts.audit import Broken
    from outlay.accounts.people import NoSuchAccount
    from outlay.db import session

    try:
        with session("auth") as connection:
            yield connection
    except (NoSuchAccount, Broken) as error:
        raise Failure(str(error)) from error
