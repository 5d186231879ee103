"""The embedded servers start once, come back when they are killed, lose nothing, and leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import uuid
from concurrent.futures import ThreadPoolExecutor

import psutil
import psycopg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient

from ingestion.contracts import TOPICS, schema
from outlay.stack.errors import NotReady, StackError
from outlay.stack.services import kafka
from outlay.stack.topics import create_topics
from tests.homes import Home
from tests.support import until

pytestmark = [pytest.mark.integration, pytest.mark.apart, pytest.mark.timeout(300)]

SERVERS = ("postgres", "kafka", "registry")
LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a space in its path, whose three servers run."""
    home = Home(tmp_path_factory.mktemp("stack") / "a home")
    try:
        home.up(*SERVERS)
        yield home
    finally:
        home.outlay("down")


def test_starting_twice_changes_nothing(home):
    before = home.pids()
    assert set(before) == set(SERVERS)
    home.up(*SERVERS)
    assert home.pids() == before


def test_two_starts_at_once_start_each_server_once(home):
    before = home.pids()
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: home.outlay("up", "--only", ",".join(SERVERS)), range(2)))
    assert [each.returncode for each in done] == [0, 0]
    assert home.pids() == before


def test_nothing_listens_beyond_this_machine(home):
    listening = [
        (process.name(), where.laddr.ip, where.laddr.port)
        for process in home.processes()
        for where in process.net_connections("inet")
        if where.status == psutil.CONN_LISTEN
    ]
    assert {ip for _, ip, _ in listening} <= LOOPBACK, listening
    ports = home.settings.state
    assert {ports[name] for name in SERVERS} <= {port for *_, port in listening}


@pytest.mark.parametrize("password", [None, "", "wrong"])
def test_postgres_refuses_a_wrong_or_missing_password(home, password, monkeypatch):
    monkeypatch.setenv("PGPASSFILE", os.devnull)
    to = psycopg.conninfo.conninfo_to_dict(home.settings.dsn("owner")) | {"password": password}
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(**{name: value for name, value in to.items() if value is not None})


def test_each_role_logs_in_with_its_own_password_and_sees_its_own_rights(home):
    with psycopg.connect(home.settings.dsn("app")) as connection:
        bypasses = connection.execute("SELECT rolbypassrls FROM pg_roles WHERE rolname = current_user").fetchone()[0]
        assert bypasses is False
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("INSERT INTO live.offsets SELECT * FROM live.offsets")
    with psycopg.connect(home.settings.dsn("projector")) as connection:
        (bypasses,) = connection.execute("SELECT rolbypassrls FROM pg_roles WHERE rolname = current_user").fetchone()
        assert bypasses is True


def test_secrets_are_closed_to_other_users_and_appear_in_no_command_line(home):
    assert (home.folder / "secrets.json").stat().st_mode & 0o077 == 0
    assert (home.folder / "run").stat().st_mode & 0o077 == 0
    lines = [" ".join(process.cmdline()) for process in home.processes()]
    assert not [name for name, secret in home.settings.secrets.items() if any(secret in line for line in lines)]


@pytest.mark.parametrize("name", SERVERS)
def test_a_killed_server_comes_back_by_itself(home, name):
    pid = home.pids()[name]
    os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        service = home.status()[name]
        return service.state == "running" and service.pid != pid

    until(back, what=f"{name} back after kill -9", seconds=60)


def test_the_registry_answers_as_soon_as_its_database_is_back(home):
    """Not with an error for each connection that the restart broke."""
    ask_at_once(home, 8)  # as many connections as its pool holds
    pid = home.pids()["postgres"]
    os.kill(pid, signal.SIGINT)
    until(lambda: home.pids().get("postgres") not in (None, pid), what="postgres is started again", seconds=60)
    until(lambda: database_answers(home), what="postgres answers", seconds=60)
    assert ask_at_once(home, 8) == [schema("transaction")] * 8


def ask_at_once(home: Home, times: int) -> list[dict]:
    def ask(_: int) -> dict:
        client = SchemaRegistryClient({"url": home.settings.registry, "max.retries": 0})
        return json.loads(client.get_latest_version("transaction-value").schema.schema_str)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(ask, range(times)))


def database_answers(home: Home) -> bool:
    try:
        with psycopg.connect(home.settings.dsn("owner"), connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False


def test_after_everything_was_killed_up_brings_servers_and_data_back(home):
    row, message = uuid.uuid4(), uuid.uuid4()
    with psycopg.connect(home.settings.dsn("owner")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS public.kept (id uuid)")
        connection.execute("INSERT INTO public.kept VALUES (%s)", (row,))
    partition, offset = send(home, message.bytes)

    for process in home.processes():
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue  # it went with its parent
    until(lambda: not home.processes(), what="everything is dead", seconds=20)
    assert {service.state for service in home.status().values()} == {"stopped"}

    home.up(*SERVERS)
    assert {name: home.status()[name].state for name in SERVERS} == dict.fromkeys(SERVERS, "running")
    with psycopg.connect(home.settings.dsn("owner")) as connection:
        assert (row,) in connection.execute("SELECT id FROM public.kept").fetchall()
        connection.execute("DROP TABLE public.kept")
    assert read(home, partition, offset) == message.bytes
    assert registered(home) == {topic: schema(topic) for topic in TOPICS}


def test_status_says_what_is_wrong_and_exits_with_1(home):
    done = home.outlay("status", "--no-layers")
    assert done.returncode == 1  # the others were not started
    assert "stopped" in done.stdout


def test_logs_prints_the_last_lines_of_a_server(home):
    done = home.outlay("logs", "postgres", "-n", "200")
    assert done.returncode == 0
    assert "database system is ready to accept connections" in done.stdout


def test_an_address_in_the_environment_replaces_the_embedded_kafka(home, tmp_path):
    guest = Home(tmp_path / "guest", env={"OUTLAY_KAFKA_BOOTSTRAP": home.settings.bootstrap})
    try:
        assert "in use" in guest.up("kafka")
        service = guest.status()["kafka"]
        assert (service.state, service.pid, service.address) == ("external", None, home.settings.bootstrap)
    finally:
        guest.outlay("down")


def test_an_address_that_nobody_answers_at_is_one_clear_error(tmp_path):
    guest = Home(tmp_path / "guest", env={"OUTLAY_KAFKA_BOOTSTRAP": "127.0.0.1:1"})
    done = guest.outlay("up", "--only", "kafka")
    guest.outlay("down")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "outlay: kafka is set to an address in the environment, but nobody answers at 127.0.0.1:1"
    )
    assert done.stderr.count("\n") == 1


def test_a_database_in_the_environment_gets_the_roles_and_tables(tmp_path):
    server = Home(tmp_path / "server")
    try:
        server.up("postgres")
        guest = Home(tmp_path / "guest", env={"OUTLAY_DATABASE_URL": server.settings.dsn("owner")})
        guest.up("postgres")
        assert guest.status()["postgres"].state == "external"
        assert "postgres" not in guest.pids()
        dsn = guest.outlay("dsn", "app").stdout.strip()
        with psycopg.connect(dsn) as connection:
            assert connection.execute("SELECT count(*) FROM live.transactions").fetchone() == (0,)
        guest.outlay("down")
    finally:
        server.outlay("down")


def test_a_topic_with_other_partitions_is_a_named_error(home):
    with pytest.raises(StackError, match="the topic user has 12 partitions, expected 24"):
        create_topics(home.settings.bootstrap, 24)


def test_a_dead_kafka_is_told_at_once():
    with pytest.raises(NotReady, match=r"nobody answers at 127\.0\.0\.1:1"):
        kafka.check("127.0.0.1:1")


def test_only_the_supervisor_killed_leaves_servers_that_up_replaces(home):
    before = home.pids()
    os.kill(int((home.folder / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
    said = home.up("postgres")
    assert "that a killed supervisor left" in said
    after = home.pids()
    assert set(after) == {"postgres"}
    assert after["postgres"] != before["postgres"]
    assert not any(psutil.pid_exists(pid) for pid in before.values())


def test_down_leaves_no_process_and_a_port_taken_meanwhile_is_avoided(home):
    taken = home.settings.port("postgres")
    done = home.outlay("down")
    assert done.returncode == 0, done.stderr
    assert home.processes() == []
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", taken))
        other.listen()
        home.up("postgres")
        assert home.settings.port("postgres") != taken
        psycopg.connect(home.settings.dsn("owner")).close()


def send(home: Home, value: bytes) -> tuple[int, int]:
    """Append a message to a topic, and return its partition and offset."""
    places = []
    producer = Producer({"bootstrap.servers": home.settings.bootstrap, "acks": "all"})
    producer.produce(
        "report.dlq", value, on_delivery=lambda error, m: places.append((error, m.partition(), m.offset()))
    )
    assert producer.flush(30) == 0
    error, partition, offset = places[0]
    assert error is None
    return partition, offset


def read(home: Home, partition: int, offset: int) -> bytes:
    consumer = Consumer({"bootstrap.servers": home.settings.bootstrap, "group.id": str(uuid.uuid4())})
    try:
        consumer.assign([TopicPartition("report.dlq", partition, offset)])
        return until(lambda: consumer.poll(1), what="the message", seconds=30).value()
    finally:
        consumer.close()


def registered(home: Home) -> dict[str, dict]:
    """The newest schema of each topic, as the registry has it."""
    client = SchemaRegistryClient({"url": home.settings.registry})
    return {topic: json.loads(client.get_latest_version(f"{topic}-value").schema.schema_str) for topic in TOPICS}
