"""The environment of everything that runs beside the stack: its own Python services, the dbt and the Dagster CLI."""

from __future__ import annotations

import json
from typing import Any

import psycopg
from pydantic import SecretStr

from outlay.settings import PROJECT, Settings


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
    """What ``dbt_project/profiles.yml`` reads: the database, as the role that owns gold."""
    to = psycopg.conninfo.conninfo_to_dict(here.dsn("dbt"))
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


def variables(here: Settings) -> dict[str, str]:
    """Everything that ``outlay env`` prints.

    Raises:
        NotConfigured: the stack was never up, so there are no addresses and passwords yet.
    """
    return outlay_variables(here) | dbt_variables(here) | dagster_variables(here)
