"""The supervisor reads exactly what the servers' specifications say."""

import shlex
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from outlay.settings import Settings
from outlay.stack.conf import MARK, supervisord_conf
from outlay.stack.environment import outlay_variables
from outlay.stack.errors import StackError
from outlay.stack.spec import ServiceSpec, with_needs


def spec(name="kafka", **changes) -> ServiceSpec:
    return ServiceSpec(name=name, address="", healthy=lambda: None, **changes)


def read(folder: Path, *specs: ServiceSpec):
    """What supervisord itself understands of the configuration, by program."""
    (folder / "logs").mkdir(parents=True)
    (folder / "run").mkdir()
    conf = folder / "run" / "supervisord.conf"
    conf.write_text(supervisord_conf(folder, specs))
    options = ServerOptions()
    options.realize(["-c", str(conf)])
    return {group.name: group.process_configs[0] for group in options.configroot.supervisord.process_group_configs}


def test_command_and_environment_arrive_unchanged(tmp_path):
    env = {"ADDRESS": "postgresql://me:p%40ss,w'ord@h/db?a=b", "EMPTY": "", "LIST": '["a@b.c", "d"]'}
    argv = ("/bin/a program", "-c", "log_line_prefix=%m [%p] ", "it's")
    program = read(tmp_path / "a home", spec(argv=argv, env=env))["kafka"]
    assert tuple(shlex.split(program.command)) == argv
    assert {name: program.environment[name] for name in env} == env
    assert program.environment[MARK] == str(tmp_path / "a home")


def test_every_kind_of_setting_is_read_by_a_server_as_it_was_given(tmp_path, monkeypatch):
    for name, value in {
        "OUTLAY_HOME": str(tmp_path / "a home"),
        "OUTLAY_SMTP_URL": "smtp://outlay:p%40ss@mail.example",
        "OUTLAY_FAILURE_MAIL_TO": '["ops@example.org", "ada@example.org"]',
        "OUTLAY_APP_HOSTS": '["outlay.example"]',
        "OUTLAY_AUTO_BUILD": "false",
        "OUTLAY_PARTITIONS": "6",
    }.items():
        monkeypatch.setenv(name, value)
    given = Settings()
    program = read(tmp_path / "a home", spec(argv=("true",), env=outlay_variables(given)))["kafka"]
    for name, value in program.environment.items():
        monkeypatch.setenv(name, value)
    assert Settings() == given


def test_a_server_that_dies_is_always_started_again_and_takes_its_children_along(tmp_path):
    program = read(tmp_path / "home", spec(argv=("sleep", "1")))["kafka"]
    assert (program.autorestart.__name__, program.autostart) == ("RestartUnconditionally", False)
    assert program.startretries > 10_000
    assert (program.stopasgroup, program.killasgroup) == (True, True)


def test_an_external_server_is_not_started(tmp_path):
    assert set(read(tmp_path / "home", spec(), spec("spark", argv=("true",)))) == {"spark"}


def test_a_changed_configuration_file_changes_the_program(tmp_path):
    one = supervisord_conf(tmp_path, [spec(argv=("true",), files={tmp_path / "a": "x=1"})])
    two = supervisord_conf(tmp_path, [spec(argv=("true",), files={tmp_path / "a": "x=2"})])
    assert one != two


def test_a_server_starts_again_when_one_that_it_reads_moves(tmp_path):
    def conf(address: str) -> str:
        postgres = ServiceSpec(name="postgres", address=address, healthy=lambda: None)
        return supervisord_conf(tmp_path, [postgres, spec("live", argv=("true",), needs=("postgres",))])

    assert conf("127.0.0.1:5432") == conf("127.0.0.1:5432") != conf("127.0.0.1:5433")


@pytest.mark.parametrize(
    "value", ['say "hi"', """both ' and " within""", "'quoted'", "two\nlines", "a #comment", "a ;comment"]
)
def test_what_the_format_cannot_carry_is_refused(tmp_path, value):
    with pytest.raises(StackError, match="supervisord cannot"):
        supervisord_conf(tmp_path, [spec(argv=("true",), env={"NAME": value})])


def test_a_server_is_started_with_what_it_needs_in_order():
    a, b, c = spec("postgres"), spec("registry", needs=("postgres",)), spec("live", needs=("registry",))
    assert [s.name for s in with_needs([a, b, c], {"live"})] == ["postgres", "registry", "live"]
    assert [s.name for s in with_needs([a, b, c], {"postgres"})] == ["postgres"]
