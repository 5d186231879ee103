"""What `outlay env` prints for those who develop models."""

import json

import pytest
from click.testing import CliRunner

from outlay.cli import cli
from outlay.settings import settings
from outlay.stack.environment import development_schema


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home as `outlay up` leaves it."""
    (tmp_path / "state.json").write_text(json.dumps({"ports": {"postgres": 5432}}))
    (tmp_path / "secrets.json").write_text(json.dumps({"dbt": "of-dbt", "dev": "of-dev", "dagster": "of-dagster"}))
    (tmp_path / "dbt" / "last").mkdir(parents=True)
    (tmp_path / "dbt" / "last" / "manifest.json").write_text("{}")
    monkeypatch.setenv("OUTLAY_HOME", str(tmp_path))
    settings.cache_clear()
    yield
    settings.cache_clear()


def env(*arguments: str) -> dict[str, str]:
    done = CliRunner().invoke(cli, ["env", *arguments])
    assert done.exit_code == 0, done.output
    return dict(line.removeprefix("export ").split("=", 1) for line in done.output.splitlines())


def test_the_running_warehouse_is_the_role_that_owns_it():
    printed = env()
    assert (printed["OUTLAY_PG_USER"], printed["OUTLAY_PG_PASSWORD"]) == ("outlay_dbt", "of-dbt")
    assert (printed["OUTLAY_DBT_TARGET"], printed["DBT_DEFER"], printed["DBT_STATE"]) == ("prod", "false", "''")


def test_development_has_a_schema_of_its_own_and_never_the_owners_password(monkeypatch):
    monkeypatch.setenv("LOGNAME", "Ada L.")
    printed = env("--dev")
    assert (printed["OUTLAY_PG_USER"], printed["OUTLAY_PG_PASSWORD"]) == ("outlay_dev", "of-dev")
    assert (printed["OUTLAY_DBT_TARGET"], printed["OUTLAY_DBT_SCHEMA"], printed["DBT_DEFER"]) == (
        "dev",
        "dev_ada_l",
        "true",
    )
    assert "of-dbt" not in str(printed)
    assert env("--dev", "--schema", "dev_trial")["OUTLAY_DBT_SCHEMA"] == "dev_trial"


def test_development_is_beside_a_warehouse_that_was_built(tmp_path):
    (tmp_path / "dbt" / "last" / "manifest.json").unlink()
    done = CliRunner().invoke(cli, ["env", "--dev"])
    assert done.exit_code == 1
    assert "there is no warehouse to develop beside yet: run `outlay build`" in done.output


def test_a_schema_for_development_cannot_be_one_of_the_running_warehouse():
    for schema in ("gold", "dev_", "dev_A", "dev_a; drop schema gold", "dev_" + "a" * 60):
        done = CliRunner().invoke(cli, ["env", "--dev", "--schema", schema])
        assert done.exit_code == 2
        assert "expected dev_ and then small letters, digits or _" in done.output
    done = CliRunner().invoke(cli, ["env", "--schema", "dev_ada"])
    assert done.exit_code == 2
    assert "--schema goes with --dev" in done.output


@pytest.mark.parametrize(("user", "schema"), [("ada", "dev_ada"), ("Ada.L@x", "dev_ada_l_x"), ("é", "dev_me")])
def test_the_schema_has_the_users_name(monkeypatch, user, schema):
    monkeypatch.setenv("LOGNAME", user)
    assert development_schema() == schema
