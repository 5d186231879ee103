"""The environment of everything that runs beside the stack: its own Python services, the dbt and the Dagster CLI."""

from __future__ import annotations

import getpass
import json
import re
from pathlib import Path
from typing import Any

import psycopg
from pydantic import SecretStr

from outlay.settings import PROJECT, Role, Settings


def outlay_variables(here: Settings) -> dict[str, str]:
    """``OUTLAY_*`` as they were given to this process, so that a service reads the same settings."""
    given = {name: getattr(here, name) for name in sorted(here.model_fields_set | {"home", "cache"})}
    return {f"OUTLAY_{name.upper()}": _written(value) for name, value in given.items() if value is not None}


def _written(value: Any) -> str:
    """As the settings read it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, tuple) else str(value)


def dbt_variables(here: Settings) -> dict[str, str]:
    """What ``dbt_project/profiles.yml`` and dbt itself read: the running warehouse, as the role that owns it."""
    return _database(here, "dbt") | {
        "OUTLAY_DBT_TARGET": "prod",
        "DBT_DEFER": "false",
        "DBT_STATE": "",
    }


def development_variables(here: Settings, schema: str) -> dict[str, str]:
    """The same for a developer of models: the target ``dev`` and its schema, as a role that only reads all others. What
    is not in that schema is read from the running warehouse, as dbt's manifest of its last build names it."""
    return _database(here, "dev") | {
        "OUTLAY_DBT_TARGET": "dev",
        "OUTLAY_DBT_SCHEMA": schema,
        "DBT_DEFER": "true",
        "DBT_STATE": str(last_build(here)),
    }


def development_schema() -> str:
    """A schema by the name of who asks: ``dev_ada``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # the system knows this user by number alone
        user = ""
    name = re.sub(r"[^a-z0-9]+", "_", user.lower()).strip("_")
    return f"dev_{name[:50] or 'me'}"


def last_build(here: Settings) -> Path:
    """Folder of dbt's manifest as it was at the last successful build of the running warehouse."""
    return here.home.resolve() / "dbt" / "last"


def _database(here: Settings, role: Role) -> dict[str, str]:
    to = psycopg.conninfo.conninfo_to_dict(here.dsn(role))
    return {
        "OUTLAY_PG_HOST": to["host"],
        "OUTLAY_PG_PORT": str(to.get("port", 5432)),
        "OUTLAY_PG_DBNAME": to["dbname"],
        "OUTLAY_PG_USER": to["user"],
        "OUTLAY_PG_PASSWORD": to["password"],
        "DBT_PROFILES_DIR": str(PROJECT / "dbt_project"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def dagster_variables(here: Settings) -> dict[str, str]:
    """Where Dagster's instance is, and the address of its storage, which ``dagster.yaml`` names but does not hold.

    The address names the driver: Dagster's storage is written for psycopg2, SQLAlchemy 2.1 takes psycopg 3 by itself.
    """
    storage = here.dsn("dagster").replace("postgresql://", "postgresql+psycopg2://", 1)
    return {"DAGSTER_HOME": str(here.home / "dagster"), "OUTLAY_DAGSTER_DSN": storage}


def variables(here: Settings, *, development: str | None = None) -> dict[str, str]:
    """Everything that ``outlay env`` prints; with a schema for `development`, dbt's are of that.

    Raises:
        NotConfigured: the stack was never up, so there are no addresses and passwords yet.
    """
    of_dbt = development_variables(here, development) if development else dbt_variables(here)
    return outlay_variables(here) | of_dbt | dagster_variables(here)
