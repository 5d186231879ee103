"""Every setting of Outlay, in one typed object, read once.

A setting comes from, in this order: the environment (``OUTLAY_*``), then what ``outlay up`` remembered in
``<home>/state.json`` (ports it chose) and ``<home>/secrets.json`` (passwords it made, mode 0600).
Setting an address in the environment means that Outlay uses that server and does not start its own.
"""

from __future__ import annotations

import json
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parent.parent

Role = Literal["owner", "projector", "pipeline", "dbt", "dev", "app", "operator", "auth", "dagster", "registry"]
"""Who talks to PostgreSQL. Each is a database role ``outlay_<name>`` with the rights of its part alone.

``app`` works for somebody with an account, ``operator`` for whoever runs the installation."""

Service = Literal["postgres", "kafka", "registry", "spark", "live", "app", "code", "webserver", "daemon"]
"""What ``outlay up`` runs. ``code`` is Dagster's code server, shared by its webserver and daemon."""


Folder = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]


class NotConfigured(RuntimeError):
    """An address or password is neither in the environment nor remembered: nothing was started yet."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="OUTLAY_", frozen=True, extra="ignore")

    home: Folder = Field(PROJECT / ".outlay", description="Folder of all data, logs, ports and passwords.")
    cache: Folder = Field(
        Path("~/.cache/outlay").expanduser(), description="Folder of downloaded jars, shared by every home."
    )

    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL 18 to use instead of the embedded one, as its owner: postgresql://owner:pw@host/db",
    )
    kafka_bootstrap: str | None = Field(None, description="Kafka to use instead of the embedded one: host:port[,...]")
    schema_registry_url: str | None = Field(None, description="Confluent-compatible schema registry to use instead.")
    spark_remote: str | None = Field(
        None, description="Spark to use instead of the embedded Connect server: sc://host:port, or a master URL."
    )
    lake_url: str | None = Field(
        None, description="Where bronze and silver files live: a folder or an fsspec URL such as s3://bucket/prefix."
    )

    seeds: Folder = Field(PROJECT / "seeds", description="Folder of the reference data.")
    partitions: int = Field(12, description="Partitions of each topic. Fixed for the life of a topic.")
    live_lanes: int = Field(
        2, ge=1, le=12, description="Sessions that the projector writes with when one does not keep up, 80 MB each."
    )
    auto_build: bool = Field(True, description="Whether schedules, sensors and conditions of Dagster start runs.")
    app_hosts: tuple[str, ...] = Field(
        ("127.0.0.1", "localhost", "[::1]"),
        description="Names the app answers to (a JSON list); add a proxy's name. Others are refused: DNS rebinding.",
    )
    address: str | None = Field(
        None, description="Where people find the app, such as https://outlay.example.org; mails say it."
    )
    sign_up: Literal["open", "closed"] = Field(
        "closed",
        description="Whether anybody may make an account; closed: who is invited, and whoever runs this.",
    )
    proxies: tuple[str, ...] = Field(
        (), description="Addresses or networks (a JSON list) of proxies that are believed who a request comes from."
    )
    smtp_url: SecretStr | None = Field(
        None, description="Server that sends mail: smtp://user:password@host:587, or smtps://host:465 for TLS at once."
    )
    mail_from: str = Field("outlay@localhost", description="Address that mail comes from.")
    failure_mail_to: tuple[str, ...] = Field(
        (), description="Addresses (a JSON list) that hear of runs of Dagster that fail, and work again."
    )
    log_level: str = Field("INFO", description="Level of the daemons' logs.")

    @cached_property
    def state(self) -> dict[str, int]:
        """Ports remembered by ``outlay up``: service name to TCP port."""
        return _read_json(self.home / "state.json").get("ports", {})

    @cached_property
    def secrets(self) -> dict[str, str]:
        """Passwords made at first start: role name to password, ``api_token``, ``spark_token`` and ``auth_key``."""
        return _read_json(self.home / "secrets.json")

    def port(self, service: Service) -> int:
        try:
            return self.state[service]
        except KeyError:
            raise NotConfigured(f"{service} has no address yet: run `outlay up` or set it in the environment") from None

    def dsn(self, role: Role) -> str:
        """``postgresql://`` URL of the database as one of the roles.

        Raises:
            NotConfigured: no database is known, or the role has no password yet.
        """
        if role == "owner" and self.database_url:
            return self.database_url.get_secret_value()
        password = self.secrets.get(role)
        if password is None:
            raise NotConfigured(f"the database role outlay_{role} has no password yet: run `outlay up`")
        netloc = f"outlay_{role}:{quote(password, safe='')}@{self._database_host}"
        return urlunsplit(("postgresql", netloc, self._database_path, self._database_query, ""))

    @property
    def bootstrap(self) -> str:
        """Kafka's bootstrap servers."""
        return self.kafka_bootstrap or f"127.0.0.1:{self.port('kafka')}"

    @property
    def registry(self) -> str:
        """Base URL of the schema registry's Confluent-compatible API."""
        return self.schema_registry_url or f"http://127.0.0.1:{self.port('registry')}/apis/ccompat/v7"

    @property
    def spark(self) -> str:
        """``sc://`` address of a Spark Connect server, with its token, or a master URL such as ``local[2]``.

        The embedded server is addressed by name, as pyspark sends a token without TLS to ``localhost`` alone.
        """
        return self.spark_remote or f"sc://localhost:{self.port('spark')}/;token={self.secrets['spark_token']}"

    @property
    def lake(self) -> str:
        """Root of the lake, without a trailing slash: a folder or an fsspec URL."""
        return (self.lake_url or str(self.home / "lake")).rstrip("/")

    @property
    def app_url(self) -> str:
        return f"http://127.0.0.1:{self.port('app')}"

    @property
    def public_url(self) -> str:
        """Where people find the app: this machine's address unless another is set."""
        return (self.address or self.app_url).rstrip("/")

    @property
    def entry_url(self) -> str:
        """The link that opens the pages without asking for the key, which it holds."""
        return f"{self.app_url}/open?key={self.api_token.get_secret_value()}"

    @property
    def dagster_url(self) -> str:
        return f"http://127.0.0.1:{self.port('webserver')}"

    @property
    def api_token(self) -> SecretStr:
        """Bearer token of the API and key of the pages on this machine."""
        token = self.secrets.get("api_token")
        if token is None:
            raise NotConfigured("there is no API token yet: run `outlay up`")
        return SecretStr(token)

    @property
    def auth_key(self) -> SecretStr:
        """What the private keys of access tokens are encrypted under."""
        key = self.secrets.get("auth_key")
        if key is None:
            raise NotConfigured("there is no key for access tokens yet: run `outlay up`")
        return SecretStr(key)

    @property
    def _external(self):
        return urlsplit(self.database_url.get_secret_value()) if self.database_url else None

    @property
    def _database_host(self) -> str:
        if self._external:
            return self._external.netloc.rpartition("@")[2]
        return f"127.0.0.1:{self.port('postgres')}"

    @property
    def _database_path(self) -> str:
        return self._external.path if self._external else "/outlay"

    @property
    def _database_query(self) -> str:
        return self._external.query if self._external else ""


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}


@cache
def settings() -> Settings:
    """The process's settings. ``settings.cache_clear()`` makes the next call read them again."""
    return Settings()
