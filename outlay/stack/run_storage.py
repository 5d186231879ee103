"""Dagster's storage in PostgreSQL, which keeps a connection for the next event.

Dagster's own opens one for each of a run's several hundred events: a fifth of a small build. A kept connection is tried
before it is used, so that a restart of the server is noticed by nobody, neither a run nor a reader of the pages.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import sqlalchemy
from dagster._core.storage.config import PostgresStorageConfig
from dagster._serdes import ConfigurableClassData
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from dagster_postgres.utils import pg_url_from_config, set_pg_statement_timeout

_OLDEST = 3600  # seconds after which a kept connection is replaced


def _engine(url: str, *, max_overflow: int = -1) -> sqlalchemy.Engine:
    """One connection is kept; however many more are wanted at once are closed when they are given back."""
    return sqlalchemy.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=1,
        max_overflow=max_overflow,
        pool_recycle=_OLDEST,
        pool_pre_ping=True,
    )


class _Kept:
    """What the three parts of Dagster's storage have in common here."""

    postgres_url: str

    def __init__(self, postgres_url: str, should_autocreate_tables: bool):
        super().__init__(postgres_url, should_autocreate_tables)
        self._engine = _engine(postgres_url)

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """The webserver bounds its statements (in ms) and its connections."""
        self._engine = _engine(self.postgres_url, max_overflow=max_overflow)
        bounded = partial(_bound, milliseconds=statement_timeout)
        sqlalchemy.event.listen(self._engine, "connect", bounded)

    def dispose(self) -> None:
        super().dispose()
        self._engine.dispose()


class _Runs(_Kept, PostgresRunStorage):
    pass


class _Events(_Kept, PostgresEventLogStorage):
    pass


class _Schedules(_Kept, PostgresScheduleStorage):
    pass


class KeptPostgresStorage(DagsterPostgresStorage):
    """``dagster.yaml`` names it, and gives it the same configuration as Dagster's own."""

    def __init__(self, postgres_url: str, should_autocreate_tables: bool, inst_data: ConfigurableClassData | None):
        super().__init__(postgres_url, should_autocreate_tables, inst_data)
        self._run_storage = _Runs(postgres_url, should_autocreate_tables)
        self._event_log_storage = _Events(postgres_url, should_autocreate_tables)
        self._schedule_storage = _Schedules(postgres_url, should_autocreate_tables)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: PostgresStorageConfig
    ) -> KeptPostgresStorage:
        return cls(pg_url_from_config(config_value), config_value.get("should_autocreate_tables", True), inst_data)


def _bound(connection: Any, _: Any, *, milliseconds: int) -> None:
    set_pg_statement_timeout(connection, milliseconds)
