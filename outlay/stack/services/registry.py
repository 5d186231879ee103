"""The schema registry (Apicurio, by its Confluent-compatible API), its schemas kept in our PostgreSQL."""

from __future__ import annotations

import psycopg

from ingestion.codec import RegistryUnavailable
from ingestion.contracts import TOPICS, schema
from ingestion.registry import Incompatible, register
from outlay.settings import Settings
from outlay.stack import jars, probe
from outlay.stack.errors import StackError
from outlay.stack.java import java, options
from outlay.stack.spec import ServiceSpec


def environment(*, dsn: str, host: str, port: int) -> dict[str, str]:
    """The registry's settings; `dsn` is the database as the role that owns its tables, `host` where it listens."""
    to = psycopg.conninfo.conninfo_to_dict(dsn)
    return {
        "QUARKUS_HTTP_HOST": host,
        "QUARKUS_HTTP_PORT": str(port),
        "QUARKUS_LOG_LEVEL": "WARN",
        "APICURIO_STORAGE_KIND": "sql",
        "APICURIO_STORAGE_SQL_KIND": "postgresql",
        "APICURIO_DATASOURCE_URL": f"jdbc:postgresql://{to['host']}:{to.get('port', 5432)}/{to['dbname']}",
        "APICURIO_DATASOURCE_USERNAME": to["user"],
        "APICURIO_DATASOURCE_PASSWORD": to["password"],
        "APICURIO_DATASOURCE_JDBC_INITIAL_SIZE": "1",
        "APICURIO_DATASOURCE_JDBC_MIN_SIZE": "1",
        "APICURIO_DATASOURCE_JDBC_MAX_SIZE": "8",
        # Else a restart of PostgreSQL is an error 500 for each connection of the pool.
        "QUARKUS_DATASOURCE_POSTGRESQL_JDBC_VALIDATE_ON_BORROW": "true",
    }


def command(here: Settings) -> tuple[str, ...]:
    folder = jars.registry_home(here.cache)
    return (
        *(java(), *options(here.home), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        *("-jar", str(folder / f"{folder.name}-runner.jar")),
    )


def spec(here: Settings) -> ServiceSpec:
    if here.schema_registry_url:
        return ServiceSpec(
            name="registry",
            address=here.registry,
            healthy=lambda: check(here),
            provision=lambda: register_contracts(here.registry),
        )
    return ServiceSpec(
        name="registry",
        address=here.registry,
        argv=command(here),
        port=here.port("registry"),
        env=environment(dsn=here.dsn("registry"), host="127.0.0.1", port=here.port("registry")),
        needs=("postgres",),
        healthy=lambda: check(here),
        provision=lambda: register_contracts(here.registry),
    )


def check(here: Settings) -> None:
    probe.page(f"{here.registry}/subjects")


def register_contracts(registry_url: str) -> None:
    """Register every topic's schema, if it is not the newest already.

    Raises:
        StackError: a schema is incompatible with those before it, or the registry does not answer.
    """
    for topic in TOPICS:
        try:
            register(registry_url, topic, schema(topic))
        except (Incompatible, RegistryUnavailable) as error:
            raise StackError(str(error)) from error
