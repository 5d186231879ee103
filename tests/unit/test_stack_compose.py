"""docker-compose.yml is a valid description of the same system: the command lines are those of `outlay up`."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import yaml

from outlay.settings import PROJECT, Service
from outlay.stack import jars
from outlay.stack.services import dagster, kafka, own, postgres, registry, spark

COMPOSE = PROJECT / "docker-compose.yml"
WORKSPACE = "/app/deploy/workspace.yaml"
CACHE = Path("/opt/outlay")


@pytest.fixture(scope="module")
def services() -> dict:
    return yaml.safe_load(COMPOSE.read_text())["services"]


def test_it_follows_the_compose_specification():
    command = [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_each_command_is_the_one_that_up_runs(services):
    scratch = "/var/lib/outlay/spark"
    values = spark.configuration(host="0.0.0.0", port=15002, scratch=scratch, java_options=())  # noqa: S104
    expected = {
        "postgres": ["postgres", *postgres.options(host="*", memory=4 * 2**30)],
        "spark": ["spark-submit", *spark.arguments(values, class_path=jars.paths("spark", CACHE))],
        "live": own.live_command(host="0.0.0.0", port=9464),  # noqa: S104
        "code": dagster.code_command(host="0.0.0.0", port=4266),  # noqa: S104
        "webserver": dagster.webserver_command(host="0.0.0.0", port=3000, workspace_file=WORKSPACE),  # noqa: S104
        "daemon": dagster.daemon_command(workspace_file=WORKSPACE),
        "app": own.app_command(host="0.0.0.0", port=8501),  # noqa: S104
    }
    assert {name: services[name]["command"] for name in expected} == {n: list(c) for n, c in expected.items()}


def test_kafka_has_the_same_properties(services):
    expected = kafka.properties(
        listen="0.0.0.0:9092", advertised="kafka:9092", controller="kafka:9093", data="/var/lib/kafka/data"
    )
    given = services["kafka"]["environment"]
    of_the_image = {"CLUSTER_ID", "KAFKA_HEAP_OPTS"}
    as_variables = {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in expected.items()}
    assert {name: given[name] for name in given.keys() - of_the_image} == as_variables


def test_the_registry_has_the_same_environment(services):
    dsn = "postgresql://outlay_registry:x@postgres:5432/outlay"
    expected = registry.environment(dsn=dsn, host="0.0.0.0", port=8080)  # noqa: S104
    given = services["registry"]["environment"]
    assert given["APICURIO_DATASOURCE_PASSWORD"].startswith("${OUTLAY_REGISTRY_PASSWORD:?")
    assert given | {"APICURIO_DATASOURCE_PASSWORD": "x"} == expected


def test_the_webserver_and_the_daemon_find_the_code_server():
    assert (PROJECT / "deploy" / "workspace.yaml").read_text() == dagster.workspace(host="code", port=4266)


def test_every_server_is_there_and_nothing_is_published_beyond_this_machine(services):
    assert set(get_args(Service)) <= set(services)
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_images_are_pinned_and_no_password_is_written_down(services):
    images = {service["image"] for service in services.values()}
    assert {"postgres:18", "apache/kafka:4.1.1", "apicurio/apicurio-registry:3.0.9", "outlay"} == images
    for name, service in services.items():
        secret = [value for key, value in service.get("environment", {}).items() if "PASSWORD" in key]
        assert all(value.startswith("${") for value in secret), name
