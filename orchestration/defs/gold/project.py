"""The dbt project as Dagster sees it: its manifest, made when it is missing or older than the project's files."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import Any

from outlay.settings import PROJECT, settings

DBT_PROJECT = PROJECT / "dbt_project"
_SOURCES = ("dbt_project.yml", "profiles.yml", "models/**/*", "macros/**/*", "tests/**/*")


class NotParsed(RuntimeError):
    """dbt could not read its own project."""


def target() -> Path:
    """Folder of what dbt makes when Dagster runs it; a person's `dbt build` keeps to dbt_project/target."""
    return settings().home.resolve() / "dbt"


def flags(folder: Path) -> list[str]:
    """What every invocation of dbt by Dagster is given."""
    return [
        *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)),
        *("--target-path", str(folder), "--log-path", str(folder)),
        *("--log-level", "none", "--log-level-file", "info", "--no-use-colors"),
    ]


@cache
def manifest() -> Mapping[str, Any]:
    """dbt's manifest, as JSON. Parsing takes four seconds, so it is done only when a file of the project is newer.

    Raises:
        NotParsed: the project does not parse; the message is dbt's.
    """
    file = target() / "manifest.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    with (file.parent / "parse.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the code server, a run and a test may load definitions at once
        if not file.exists() or file.stat().st_mtime < _newest_source():
            _parse(file)
    return json.loads(file.read_bytes())


def _parse(file: Path) -> None:
    from dbt.cli.main import dbtRunner

    folder = file.parent / "parse"
    with chdir(DBT_PROJECT):  # dbt goes there and stays
        done = dbtRunner().invoke(["parse", "--target", "prod", *flags(folder)])
    if not done.success:
        raise NotParsed(f"{DBT_PROJECT} does not parse: {done.exception}")
    os.replace(folder / "manifest.json", file)


def _newest_source() -> float:
    files = [path for pattern in _SOURCES for path in DBT_PROJECT.glob(pattern)] + [*settings().seeds.glob("*.csv")]
    return max(path.stat().st_mtime for path in files)
