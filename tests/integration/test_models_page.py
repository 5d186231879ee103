"""docs/models.md: a model is changed, tried beside the running warehouse, compared and merged, as the page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.defs.gold.project import target
from outlay.settings import PROJECT, settings
from outlay.stack.environment import development_schema
from tests.integration.warehouse import Warehouse, build, opened, purchase

pytestmark = [pytest.mark.integration, pytest.mark.small]

PAGE = (PROJECT / "docs" / "models.md").read_text()
COMMANDS = [line[2:] for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
PATCH = re.search(r"```diff\n(.*?)```", PAGE, re.DOTALL)[1]
NEW, OLD = (datetime.now(UTC).date() - timedelta(days=days) for days in (10, 400))
MINE = development_schema()


@dataclass
class Shell:
    """A shell that is asked line by line, and keeps its folder and variables from one to the next."""

    folder: Path
    variables: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def run(self, command: str) -> str:
        """What the command printed. It must succeed."""
        done = self.tried(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def tried(self, command: str) -> subprocess.CompletedProcess[str]:
        kept, goes_on = self.variables["KEPT"], 'pwd > "$KEPT/folder"; env -0 > "$KEPT/variables"'
        done = subprocess.run(
            ["bash", "-c", f"set -e\n{command}\n{goes_on}"],
            env=self.variables,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode == 0:
            self.folder = Path((Path(kept) / "folder").read_text().strip())
            pairs = (Path(kept) / "variables").read_text().rstrip("\0").split("\0")
            self.variables = dict(pair.split("=", 1) for pair in pairs)
        return done


@pytest.fixture(scope="module")
def warehouse(stack, tmp_path_factory) -> Iterator[Warehouse]:
    """A running warehouse with new purchases and an old one, built once."""
    with opened(stack, tmp_path_factory.mktemp("lake")) as warehouse:
        warehouse.publish(
            purchase(occurred_on=NEW, amount=Decimal(7)),
            purchase(occurred_on=NEW, amount=Decimal(5)),
            purchase(occurred_on=OLD),
        )
        build()
        yield warehouse


@pytest.fixture(scope="module")
def shell(warehouse, tmp_path_factory) -> Shell:
    """In a repository with this project's models: what is on disk, committed or not."""
    folder = tmp_path_factory.mktemp("models") / "outlay"
    for part in ("dbt_project", "seeds"):
        shutil.copytree(PROJECT / part, folder / part, ignore=shutil.ignore_patterns("target", "logs"))
    shell = Shell(folder)
    home = tmp_path_factory.mktemp("home")  # of this warehouse, and not of the whole stack
    for file in ("state.json", "secrets.json"):
        shutil.copy(settings().home / file, home)
    (home / "dbt" / "last").mkdir(parents=True)
    shutil.copy(target() / "test" / "manifest.json", home / "dbt" / "last")
    shell.variables |= {
        "OUTLAY_HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "KEPT": str(tmp_path_factory.mktemp("shell")),
        **{f"GIT_{who}_{what}": "ada@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    for command in ("git init -q -b main", "git add .", "git commit -qm 'As it runs'"):
        shell.run(command)
    return shell


def cells(warehouse: Warehouse, schema: str, *columns: str) -> set[tuple]:
    return set(warehouse.rows(f"SELECT {', '.join(columns)} FROM {schema}.fct_daily_spend"))  # noqa: S608


def test_every_command_of_the_page_does_what_it_says(warehouse, shell):
    everything = {(NEW, Decimal(12), Decimal(7)), (OLD, Decimal("4.5"), Decimal("4.5"))}
    before = cells(warehouse, "gold", "*")
    asked = iter(COMMANDS)

    def until(last: str) -> str:
        """Run the page's commands up to the one that begins so; what that printed."""
        for command in asked:
            said = shell.run(command)
            if command.startswith(last):
                return said
        pytest.fail(f"no command of the page begins with {last}")

    until("eval")
    (shell.folder / ".." / "a.patch").write_text(PATCH)
    shell.run("git -C .. apply a.patch")
    shell.run("rm ../a.patch")
    assert until("dbt ls").split() == ["outlay.marts.fct_budget_months", "outlay.marts.fct_daily_spend"]
    until("dbt build --select state:modified+ --empty")
    assert cells(warehouse, MINE, "largest") == set()
    until("dbt run --select state:modified+ --sample")
    assert cells(warehouse, MINE, "occurred_on", "amount", "largest") == {(NEW, Decimal(12), Decimal(7))}
    until("dbt build --select state:modified+")
    assert cells(warehouse, MINE, "occurred_on", "amount", "largest") == everything
    compared = until("dbt run-operation compare_with_running")
    assert f"only {MINE} has: columns largest; rows 0" in compared
    assert "only the running warehouse has: columns none; rows 0" in compared
    until("sqlfluff lint")
    assert cells(warehouse, "gold", "*") == before
    until("git merge")
    assert next(asked) == "outlay build"  # of the stack's own folder: here dbt builds what was merged
    for command in ('eval "$(outlay env)"', "dbt build --project-dir dbt_project --exclude-resource-type unit_test"):
        shell.run(command)
    assert cells(warehouse, "gold", "occurred_on", "amount", "largest") == everything
    shell.run('eval "$(outlay env --dev)"')
    until("git branch")
    assert next(asked, None) is None
    assert warehouse.rows("SELECT to_regnamespace(%s)::text", MINE) == [(None,)]
