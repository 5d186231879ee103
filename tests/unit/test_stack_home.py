"""The home remembers its ports and passwords, and avoids ports that others use."""

import json
import shutil
import socket
import stat

import pytest

from outlay.stack import home, ports
from outlay.stack.errors import StackError


@pytest.fixture(autouse=True)
def homes(tmp_path):
    for name in ("home", "one", "two"):
        (tmp_path / name).mkdir()


@pytest.fixture
def taken():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_ports_are_remembered_and_differ(tmp_path):
    first = ports.choose(tmp_path / "home", tmp_path)
    assert set(first) == set(ports.PREFERRED)
    assert len(set(first.values())) == len(first)
    assert ports.choose(tmp_path / "home", tmp_path) == first


def test_a_taken_port_is_avoided_unless_it_is_our_own_server_that_runs_there(tmp_path, taken):
    (tmp_path / "state.json").write_text(json.dumps({"ports": {"kafka": taken}, "other": 1}))
    assert ports.choose(tmp_path, tmp_path, keep={"kafka"})["kafka"] == taken
    assert ports.choose(tmp_path, tmp_path)["kafka"] != taken
    assert json.loads((tmp_path / "state.json").read_text())["other"] == 1


def test_two_homes_never_share_a_port_even_while_neither_listens(tmp_path):
    one, two = (set(ports.choose(tmp_path / name, tmp_path / "cache").values()) for name in ("one", "two"))
    assert not one & two


def test_a_port_of_another_home_is_free_again_when_that_home_is_gone(tmp_path):
    port = ports.choose(tmp_path / "one", tmp_path / "cache")["kafka"]
    wish = json.dumps({"ports": {"kafka": port}})
    (tmp_path / "two" / "state.json").write_text(wish)
    assert ports.choose(tmp_path / "two", tmp_path / "cache")["kafka"] != port
    shutil.rmtree(tmp_path / "one")
    (tmp_path / "two" / "state.json").write_text(wish)
    assert ports.choose(tmp_path / "two", tmp_path / "cache")["kafka"] == port


def test_passwords_are_made_once_and_closed_to_others(tmp_path):
    home.make_passwords(tmp_path)
    path = tmp_path / "secrets.json"
    made = json.loads(path.read_text())
    assert set(made) == set(home.PASSWORDS)
    assert len(set(made.values())) == len(made)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    home.make_passwords(tmp_path)
    assert json.loads(path.read_text()) == made


def test_a_new_password_is_added_to_those_of_an_older_home(tmp_path):
    (tmp_path / "secrets.json").write_text(json.dumps({"owner": "kept"}))
    home.make_passwords(tmp_path)
    made = json.loads((tmp_path / "secrets.json").read_text())
    assert made["owner"] == "kept"
    assert set(made) == set(home.PASSWORDS)


def test_a_damaged_file_of_passwords_is_one_clear_error(tmp_path):
    (tmp_path / "secrets.json").write_text("{")
    with pytest.raises(StackError, match=r"secrets\.json is not JSON"):
        home.make_passwords(tmp_path)


def test_a_deep_home_has_a_socket_that_fits(tmp_path):
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    path = home.control_socket(deep)
    assert len(str(path)) <= 100
    assert path != home.control_socket(deep / "c")
    home.make_socket_folder(path)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    home.remove_socket(deep)
    assert not path.parent.exists()


def test_a_socket_folder_that_is_open_to_others_is_refused(tmp_path):
    path = tmp_path / "run" / "supervisor.sock"
    path.parent.mkdir(mode=0o755)
    with pytest.raises(StackError, match="not private"):
        home.make_socket_folder(path)
