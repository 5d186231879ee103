"""Kafka, one KRaft node from its jars: broker and controller in one process, on loopback alone."""

from __future__ import annotations

import base64
import logging
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from outlay.settings import Settings
from outlay.stack import jars, probe
from outlay.stack.errors import NotReady, StackError
from outlay.stack.java import java, options
from outlay.stack.spec import ServiceSpec
from outlay.stack.topics import create_topics

LOGGING = """\
status = warn
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX}{UTC} %p %c{1.} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
"""


def properties(*, listen: str, advertised: str, controller: str, data: str) -> dict[str, str]:
    """The node's configuration; each of the first three is ``host:port``, `data` the folder of the log.

    The voters are named here and not in the log, so that the controller may move to another port.
    """
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{listen},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{advertised}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "log.message.timestamp.type": "LogAppendTime",
        "log.retention.ms": "-1",
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # A consumer that was killed gives its partitions back in 10 s rather than 45.
        "group.initial.rebalance.delay.ms": "0",
        "group.consumer.min.session.timeout.ms": "6000",
        "group.consumer.session.timeout.ms": "10000",
        # A broker that was killed may register again once its session is over: in 3 s rather than 9.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
    }


def data_folder(here: Settings) -> Path:
    return here.home / "kafka"


def _config(here: Settings) -> Path:
    return here.home / "run" / "kafka.properties"


def _logging(here: Settings) -> Path:
    return here.home / "run" / "kafka-log4j2.properties"


def _embedded_properties(here: Settings) -> dict[str, str]:
    address = f"127.0.0.1:{here.port('kafka')}"
    return properties(
        listen=address,
        advertised=address,
        controller=f"127.0.0.1:{here.state['kafka_controller']}",
        data=str(data_folder(here)),
    )


def as_file(values: Mapping[str, str]) -> str:
    """The text of a Java properties file."""
    return "".join(f"{name}={value}\n" for name, value in values.items()).replace("\\", "\\\\")


def environment(here: Settings) -> dict[str, str]:
    return {"CLASSPATH": os.pathsep.join(map(str, jars.paths("kafka", here.cache)))}


def command(here: Settings) -> tuple[str, ...]:
    return (
        *(java(), *options(here.home), "-Xms256m", "-Xmx512m", "-XX:+UseG1GC"),
        f"-Dlog4j2.configurationFile={_logging(here)}",
        *("kafka.Kafka", str(_config(here))),
    )


def spec(here: Settings) -> ServiceSpec:
    if here.kafka_bootstrap:
        return ServiceSpec(
            name="kafka",
            address=here.bootstrap,
            healthy=lambda: check(here.bootstrap),
            provision=lambda: create_topics(here.bootstrap, here.partitions),
        )
    return ServiceSpec(
        name="kafka",
        address=here.bootstrap,
        argv=command(here),
        port=here.port("kafka"),
        env=environment(here),
        files={
            _config(here): as_file(_embedded_properties(here)),
            _logging(here): LOGGING,
        },
        healthy=lambda: check(here.bootstrap),
        prepare=lambda: prepare(here),
        provision=lambda: create_topics(here.bootstrap, here.partitions),
    )


def check(bootstrap: str) -> None:
    """Raises:
    NotReady: no broker answers for the cluster's metadata.
    """
    probe.port(bootstrap.split(",")[0])
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}, logger=_silent())
    try:
        client.list_topics(timeout=3)
    except KafkaException as error:
        raise NotReady(f"no metadata from {bootstrap}: {error.args[0].str()}") from error


def _silent() -> logging.Logger:
    quiet = logging.getLogger("outlay.stack.kafka")
    quiet.setLevel(logging.CRITICAL)
    return quiet


def prepare(here: Settings) -> None:
    """Format the folder of the log, once.

    Raises:
        StackError: Kafka's own tool refused.
    """
    target = data_folder(here)
    if (target / "meta.properties").exists():
        return
    target.mkdir(mode=0o700, exist_ok=True)
    config = _config(here)
    config.write_text(as_file(_embedded_properties(here)))
    done = subprocess.run(
        [
            *(java(), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "kafka.tools.StorageTool", "format"),
            *("--cluster-id", _cluster_id(), "--config", str(config)),
        ],
        env=os.environ | environment(here),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"Kafka could not format {target}: {(done.stderr or done.stdout).strip().splitlines()[0]}")


def _cluster_id() -> str:
    """A UUID as Kafka writes one, with its first bit cleared: the tool takes a leading `-` for an option."""
    raw = uuid4().bytes
    return base64.urlsafe_b64encode(bytes([raw[0] & 0x7F]) + raw[1:]).decode().rstrip("=")
