"""Kafka Connect with Debezium's JDBC sink: one standalone worker, as its documentation advises for throughput.

``python -m bench.live.connect lock`` resolves `PINS` again and rewrites ``connect.lock``.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient
from psycopg.conninfo import conninfo_to_dict

from bench.live.system import TOPIC, Running, System, Task
from outlay.settings import settings
from outlay.stack import jars
from outlay.stack.java import java, options

LOCK = Path(__file__).with_name("connect.lock")
TEMPLATES = Path(__file__).with_name("connect")
PINS = (
    "org.apache.kafka:connect-runtime:4.1.1",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3",
    "org.postgresql:postgresql:42.7.8",
    "io.debezium:debezium-connector-jdbc:3.3.1.Final",
    # The 2.x converter speaks the v2 API, which our registry has too; 3.x brings a whole reactive HTTP framework.
    "io.apicurio:apicurio-registry-utils-converter:2.6.13.Final",
)
_OTHER_DATABASES = ("ojdbc11", "mssql-jdbc", "mysql-connector-j", "mariadb-java-client")  # Debezium names them all


class Connect(System):
    name = "connect"
    application = "bench-connect"
    by_triggers = True

    def prepare(self) -> None:
        jars.download(jars.locked(file=LOCK), settings().cache, lambda name, count, size: None)

    def start(self, task: Task) -> Running:
        connector = f"bench-{hashlib.sha256(str(task.folder.resolve()).encode()).hexdigest()[:16]}"
        (task.folder / "tmp").mkdir(parents=True, exist_ok=True)
        begun = task.folder / "begun"
        if not begun.exists():
            _begin(task, f"connect-{connector}")  # the name that Connect gives to a connector's group
            begun.touch()
        values = _values(task, connector, self.application)
        files = [_write(name, task.folder, values) for name in ("worker.properties", "sink.properties")]
        with (task.folder / "connect.log").open("a") as log:
            worker = subprocess.Popen(
                [
                    *(java(), *options(task.folder), "-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-Duser.timezone=UTC"),
                    f"-Dlog4j2.configurationFile={TEMPLATES / 'log4j2.properties'}",
                    *("org.apache.kafka.connect.cli.ConnectStandalone", *map(str, files)),
                ],
                env=os.environ | {"CLASSPATH": _class_path()},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return Running([worker])


def _class_path() -> str:
    return os.pathsep.join(str(jar.path(settings().cache)) for jar in jars.locked(file=LOCK))


def _begin(task: Task, group: str) -> None:
    """Commit the first offsets in the name of the group."""
    places = [TopicPartition(TOPIC, partition, offset) for partition, offset in task.start.items()]
    admin = AdminClient({"bootstrap.servers": task.bootstrap})
    (done,) = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, places)]).values()
    for place in done.result().topic_partitions:
        if place.error:
            raise SystemExit(f"the offsets of group {group} could not be set: {place.error.str()}")


def _values(task: Task, connector: str, application: str) -> dict[str, str]:
    database = conninfo_to_dict(task.dsn)
    return {
        "connector": connector,
        "bootstrap": task.bootstrap,
        "registry": task.registry.replace("/apis/ccompat/v7", "/apis/registry/v2"),
        "offsets": str(task.folder / "offsets"),
        "application": application,
        "address": f"{database['host']}:{database.get('port', 5432)}/{database['dbname']}",
        "user": database["user"],
        "password": database["password"],
    }


def _write(name: str, folder: Path, values: Mapping[str, str]) -> Path:
    """The template with its values, for this user's eyes only: it holds a password."""
    path = folder / name
    path.touch(mode=0o600)
    escaped = {key: value.replace("\\", "\\\\") for key, value in values.items()}
    path.write_text(Template((TEMPLATES / name).read_text()).substitute(escaped))
    return path


if __name__ == "__main__":
    if sys.argv[1:] != ["lock"]:
        sys.exit("usage: python -m bench.live.connect lock")
    found = jars.lock(settings().cache, {"connect": PINS}, by="bench.live.connect").splitlines(keepends=True)
    LOCK.write_text("".join(line for line in found if not any(f":{other}:" in line for other in _OTHER_DATABASES)))
