"""The verbs of the stack: ``up``, ``down``, ``logs``, ``dsn``, ``link``, ``data-docs`` and ``env``."""

from __future__ import annotations

import re
import shlex
import time
from collections import deque
from pathlib import Path
from typing import get_args

import click

from outlay.cli import Failure
from outlay.settings import Role, Service, settings

SERVICES = get_args(Service)


def _names(ctx: click.Context, param: click.Parameter, value: str | None) -> set[str] | None:
    names = {name.strip() for name in value.split(",") if name.strip()} if value else None
    if unknown := sorted((names or set()) - set(SERVICES)):
        raise click.BadParameter(f"expected some of {', '.join(SERVICES)}; got {', '.join(unknown)}")
    return names


@click.command(epilog="Example: outlay up --only postgres,kafka,registry")
@click.option("--only", callback=_names, metavar="NAMES", help="Start these alone, with what they need (a,b,c).")
def up(only: set[str] | None) -> None:
    """Start all servers, and return when every one is healthy."""
    from outlay.cli.downloads import Downloads
    from outlay.stack.errors import StackError
    from outlay.stack.lifecycle import up as start

    began = time.monotonic()
    try:
        with Downloads() as downloads:
            start(settings(), only=only, say=click.echo, progress=downloads.received)
    except StackError as error:
        raise Failure(str(error)) from error
    finally:
        settings.cache_clear()
    click.echo(f"up after {time.monotonic() - began:.1f} s")


@click.command(epilog="Example: outlay down")
def down() -> None:
    """Stop every process. Data, ports and passwords stay."""
    from outlay.stack.lifecycle import down as stop

    count = stop(settings().home, say=click.echo)
    click.echo(f"stopped {count} processes" if count else "nothing was running")


@click.command(epilog="Example: outlay logs kafka -f")
@click.argument("service", type=click.Choice([*SERVICES, "supervisord"]), required=False)
@click.option("-f", "--follow", is_flag=True, help="Keep printing what is added, until Ctrl-C.")
@click.option("-n", "--lines", default=50, show_default=True, help="How many of the last lines of each log.")
def logs(service: str | None, follow: bool, lines: int) -> None:
    """Print the last lines of one server's log, or of all."""
    folder = settings().home / "logs"
    found = {path.stem: path for path in sorted(folder.glob("*.log")) if service in (None, path.stem)}
    if not found:
        raise Failure(f"there is no log of {service or 'any service'} in {folder}: run `outlay up`")
    width = max(map(len, found)) if service is None else 0
    for name, path in found.items():
        with path.open(errors="replace") as file:
            for line in deque(file, lines):
                _print(name, line, width)
    if follow:
        _follow(found, width)


def _follow(found: dict[str, Path], width: int) -> None:
    places = {name: (path.stat().st_ino, path.stat().st_size) for name, path in found.items()}
    try:
        while True:
            for name, path in found.items():
                places[name] = _print_added(name, path, places[name], width)
            time.sleep(0.3)
    except KeyboardInterrupt:
        return


def _print_added(name: str, path: Path, place: tuple[int, int], width: int) -> tuple[int, int]:
    """Print what came after `place` (the file's inode, the offset in it); from the start of a file rotated since."""
    if not path.exists():
        return place
    inode, offset = place
    with path.open("rb") as file:
        found = path.stat()
        file.seek(offset if (found.st_ino, True) == (inode, found.st_size >= offset) else 0)
        whole, newline, _ = file.read().rpartition(b"\n")
        for line in whole.decode(errors="replace").splitlines():
            _print(name, line, width)
        start = offset if (found.st_ino, True) == (inode, found.st_size >= offset) else 0
        return found.st_ino, start + len(whole) + len(newline)


def _print(name: str, line: str, width: int) -> None:
    click.echo(f"{name:<{width}}  {line.rstrip()}" if width else line.rstrip())


@click.command(epilog='Example: psql "$(outlay dsn dbt)"')
@click.argument("role", type=click.Choice(get_args(Role)), default="owner")
def dsn(role: Role) -> None:
    """Print the database's address as one of the roles; it holds the password."""
    click.echo(settings().dsn(role))


@click.command(epilog='Example: xdg-open "$(outlay link)"')
@click.option("--key", is_flag=True, help="Print the key alone: the bearer token of the API.")
def link(key: bool) -> None:
    """Print the link that opens the pages on this machine; it holds the key."""
    click.echo(settings().api_token.get_secret_value() if key else settings().entry_url)


@click.command("data-docs", epilog='Example: xdg-open "$(outlay data-docs)"')
def data_docs() -> None:
    """Print where Great Expectations' pages are: what the checks of the last builds found."""
    from outlay.stack import home

    index = home.data_docs(settings().home) / "index.html"
    if not index.exists():
        raise Failure("there are no Data Docs yet: run `outlay build`, then materialise quality/data_docs in Dagster")
    click.echo(index)


def _development_schema(context: click.Context, param: click.Parameter, schema: str | None) -> str | None:
    if schema is not None and not re.fullmatch(r"dev_[a-z0-9_]{1,50}", schema):
        raise click.BadParameter(f"expected dev_ and then small letters, digits or _, got {schema!r}")
    return schema


@click.command(epilog='Example: eval "$(outlay env)" && cd dbt_project && dbt build')
@click.option("--dev", is_flag=True, help="For the development of models: dbt builds beside the running warehouse.")
@click.option(
    "--schema", metavar="dev_NAME", callback=_development_schema, help="What --dev builds in; yours if not given."
)
def env(*, dev: bool, schema: str | None) -> None:
    """Print, for the shell, what the dbt and the Dagster command line need."""
    from outlay.stack.environment import development_schema, last_build, variables

    if schema and not dev:
        raise click.UsageError("--schema goes with --dev: the running warehouse has schemas of its own")
    if dev and not (last_build(settings()) / "manifest.json").exists():
        raise Failure("there is no warehouse to develop beside yet: run `outlay build`")
    for name, value in variables(settings(), development=(schema or development_schema()) if dev else None).items():
        click.echo(f"export {name}={shlex.quote(value)}")
