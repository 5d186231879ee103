"""What `outlay up` puts into its servers, for servers that somebody else starts.

Each step is ``python -m outlay.stack.provision STEP``: first ``database`` (passwords, roles, migrations, Dagster's
configuration), which the registry waits for; then ``log`` (topics and schemas). Addresses come from the environment.
"""

from __future__ import annotations

import os
import sys

from outlay.settings import Settings
from outlay.stack import files, home, ports, roles
from outlay.stack.errors import StackError
from outlay.stack.services.dagster import instance
from outlay.stack.services.registry import register_contracts
from outlay.stack.topics import create_topics


def database(here: Settings) -> None:
    """Make the home, and the database's roles and tables. ``OUTLAY_REGISTRY_PASSWORD``, if set, becomes the registry's,
    for a registry that cannot read the home."""
    home.make(here.home)
    given = os.environ.get("OUTLAY_REGISTRY_PASSWORD")
    home.make_passwords(here.home, {"registry": given} if given else None)
    ports.choose(here.home, here.cache)
    folder = here.home / "dagster"
    files.write(folder / "dagster.yaml", instance(str(folder)), mode=0o644)
    before, after = roles.provision(home.reload(here))
    print(f"the database is at revision {after}" + ("" if before == after else f", from {before}"))


def log(here: Settings) -> None:
    create_topics(here.bootstrap, here.partitions)
    register_contracts(here.registry)
    print("topics and schemas are there")


STEPS = {"database": database, "log": log}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in STEPS:
        sys.exit(f"usage: python -m outlay.stack.provision {' | '.join(STEPS)}")
    try:
        STEPS[sys.argv[1]](Settings())
    except StackError as error:
        sys.exit(f"outlay: {error}")
