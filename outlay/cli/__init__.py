"""The ``outlay`` command. Each verb lives in its own module, imported only when it is called."""

from __future__ import annotations

import importlib
import sys

import click

VERBS = {
    "up": "outlay.cli.stack:up",
    "down": "outlay.cli.stack:down",
    "status": "outlay.cli.status:status",
    "logs": "outlay.cli.stack:logs",
    "trace": "outlay.cli.tracing:trace",
    "dsn": "outlay.cli.stack:dsn",
    "env": "outlay.cli.stack:env",
    "link": "outlay.cli.stack:link",
    "live": "outlay.cli.live:live",
    "simulate": "outlay.cli.simulate:simulate",
    "import": "outlay.cli.importing:import_",
    "merchants": "outlay.cli.merchants:merchants",
    "match": "outlay.cli.matching:match",
    "build": "outlay.cli.build:build",
    "backfill": "outlay.cli.backfill:backfill",
    "dead-letters": "outlay.cli.dead_letters:dead_letters",
    "data-docs": "outlay.cli.stack:data_docs",
    "quarantine": "outlay.cli.quarantine:quarantine",
    "rates": "outlay.cli.rates:rates",
    "accounts": "outlay.cli.accounts:accounts",
    "bronze": "outlay.cli.bronze:bronze",
    "replay": "outlay.cli.replay:replay",
    "bench": "outlay.cli.bench:bench",
    "demo": "outlay.cli.demo:demo",
}


class Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = VERBS.get(cmd_name)
        if target is None:
            return None
        module, _, name = target.partition(":")
        return getattr(importlib.import_module(module), name)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="outlay")
def cli() -> None:
    """Record expenses, trace every figure. `outlay VERB --help` shows an example of each."""


class Failure(click.ClickException):
    """An error for the person at the terminal: one line that says what to do. Exit code 1."""

    def show(self, file=None) -> None:
        click.secho(f"outlay: {self.message}", fg="red", err=True, file=file)


def main() -> None:
    """Entry point: expected failures become one line, unexpected ones keep their traceback."""
    from outlay.settings import NotConfigured

    try:
        cli(prog_name="outlay")
    except NotConfigured as error:
        Failure(str(error)).show()
        sys.exit(1)
