"""Our own daemons: the projector of the live view, and the app with its pages and API in one process."""

from __future__ import annotations

import sys

import psycopg

from outlay.settings import PROJECT, Settings
from outlay.stack import probe
from outlay.stack.environment import variables
from outlay.stack.errors import NotReady
from outlay.stack.spec import ServiceSpec


def live_command(*, host: str, port: int) -> tuple[str, ...]:
    return ("python", "-m", "outlay", "live", "--metrics", f"{host}:{port}")


def app_command(*, host: str, port: int) -> tuple[str, ...]:
    stop = ("--timeout-graceful-shutdown", "5")  # whoever follows changes never ends by themselves
    log = ("--no-access-log",)  # the API tells its requests itself
    return ("python", "-m", "uvicorn", "streamlit_app.asgi:app", "--host", host, "--port", str(port), *stop, *log)


def with_this_python(command: tuple[str, ...]) -> tuple[str, ...]:
    return (sys.executable, *command[1:])


def live(here: Settings) -> ServiceSpec:
    return ServiceSpec(
        name="live",
        address=f"http://127.0.0.1:{here.port('live')}/metrics",
        port=here.port("live"),
        argv=with_this_python(live_command(host="127.0.0.1", port=here.port("live"))),
        env=variables(here),
        needs=("postgres", "kafka", "registry"),
        healthy=lambda: check_live(here),
    )


def app(here: Settings) -> ServiceSpec:
    return ServiceSpec(
        name="app",
        address=here.app_url,
        port=here.port("app"),
        argv=with_this_python(app_command(host="127.0.0.1", port=here.port("app"))),
        env=variables(here) | {"PYTHONPATH": str(PROJECT), "FORWARDED_ALLOW_IPS": ",".join(here.proxies)},
        needs=("postgres", "kafka", "registry"),
        healthy=lambda: check_app(here),
    )


def check_live(here: Settings) -> None:
    """The projector holds its session with the database."""
    try:
        with psycopg.connect(here.dsn("owner"), connect_timeout=3) as connection:
            found = connection.execute("SELECT 1 FROM pg_stat_activity WHERE usename = 'outlay_projector'").fetchone()
    except psycopg.OperationalError as error:
        raise NotReady(f"the database does not answer ({error})".replace("\n", " ")) from error
    if found is None:
        raise NotReady("the projector is not connected to the database")


def check_app(here: Settings) -> None:
    probe.page(f"{here.app_url}/_stcore/health")
