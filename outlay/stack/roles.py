"""What is put into the database at each start: roles with their passwords, the migrations, two schemas for others."""

from __future__ import annotations

from typing import get_args

import psycopg
from psycopg import sql

from ingestion.migrate import NewerRelease, upgrade
from outlay.settings import Role, Settings
from outlay.stack.errors import StackError

BYPASSES_RLS = {"projector", "pipeline", "dbt", "dev"}
OWN_SCHEMA = {"dagster": "dagster", "registry": "registry"}
"""Roles of programs that make their own tables, each in a schema of its own, which its search path names."""

WORK_MEM = {"dbt": "64MB"}
"""For each sort and hash table of roles that look at whole tables, where another amount than the server's is right."""


def provision(here: Settings) -> tuple[str | None, str]:
    """Create what is missing and apply the migrations; returns the revisions before and after.

    Raises:
        StackError: a newer release has made the tables.
    """
    owner = here.dsn("owner")
    if not here.database_url:
        _create_database(owner)
    with psycopg.connect(owner) as connection:
        for role in get_args(Role):
            if role != "owner":
                _ensure_role(connection, here, role)
    try:
        return upgrade(owner)
    except NewerRelease as error:
        raise StackError(str(error)) from error


def _create_database(owner: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(owner)["dbname"]
    with psycopg.connect(owner, dbname="postgres", autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _ensure_role(connection: psycopg.Connection, here: Settings, role: Role) -> None:
    name = sql.Identifier(f"outlay_{role}")
    known = connection.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", (f"outlay_{role}",)).fetchone()
    if known is None:
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(name))
        if role in BYPASSES_RLS:
            connection.execute(sql.SQL("ALTER ROLE {} BYPASSRLS").format(name))
    if not (known and known[0] and _logs_in(here.dsn(role))):
        password = _scram(connection, f"outlay_{role}", here.secrets[role])
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, password))
    if schema := OWN_SCHEMA.get(role):
        connection.execute(
            sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(sql.Identifier(schema), name)
        )
        connection.execute(sql.SQL("ALTER ROLE {} SET search_path = {}").format(name, sql.Identifier(schema)))
    if memory := WORK_MEM.get(role):
        connection.execute(sql.SQL("ALTER ROLE {} SET work_mem = {}").format(name, memory))


def _scram(connection: psycopg.Connection, user: str, password: str) -> str:
    """The password's scram verifier, so that the password itself is in no statement and no log."""
    return connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()


def _logs_in(dsn: str) -> bool:
    try:
        psycopg.connect(dsn, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
