"""Arguments and options that several verbs share."""

from __future__ import annotations

import getpass
import os

import click

from ingestion.contracts import TOPICS
from ingestion.place import NotAPlace, Place


class PlaceType(click.ParamType):
    name = "PLACE"

    def convert(self, value: str | Place, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        if isinstance(value, Place):
            return value
        try:
            return Place.parse(value)
        except NotAPlace as error:
            self.fail(str(error), param, ctx)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


PLACE = PlaceType()
topic_option = click.option("--topic", type=click.Choice(TOPICS), help="Only this topic's.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
by_option = click.option("--by", default=_login, metavar="NAME", help="Who decides.  [default: your login]")
