"""A warm Spark Connect server, from the pyspark wheel: a build's session starts in a second rather than in six."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from outlay.settings import Settings
from outlay.stack import jars, probe
from outlay.stack.errors import StackError
from outlay.stack.java import options
from outlay.stack.spec import ServiceSpec

SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
HEAP = "1200m"


def configuration(*, host: str, port: int, scratch: str, java_options: Sequence[str]) -> dict[str, str]:
    """The server's settings; `host` and `port` are where it listens, `scratch` the folder it spills to."""
    return {
        "spark.connect.grpc.binding.address": host,
        "spark.connect.grpc.binding.port": str(port),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": shlex.join(java_options),
        "spark.local.dir": scratch,
        "spark.sql.warehouse.dir": f"{scratch}/warehouse",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "4",
        "spark.ui.enabled": "false",
        "spark.eventLog.enabled": "false",
    }


def arguments(values: dict[str, str], *, avro: str) -> list[str]:
    """What follows ``spark-submit``; `avro` is the path of the spark-avro jar."""
    return [
        *("--class", SERVER, "--name", "outlay", "--master", "local[*]"),
        *("--driver-memory", HEAP, "--driver-class-path", avro),
        *(part for name, value in values.items() for part in ("--conf", f"{name}={value}")),
        "spark-internal",
    ]


def distribution() -> Path:
    """SPARK_HOME: the folder of the pyspark package."""
    found = find_spec("pyspark")
    if found is None or found.origin is None:
        raise StackError("the package pyspark is missing: run `make install`")
    return Path(found.origin).parent


def environment() -> dict[str, str]:
    return {"SPARK_HOME": str(distribution()), "SPARK_LOCAL_IP": "127.0.0.1"}


def command(here: Settings) -> tuple[str, ...]:
    (avro,) = jars.paths("spark", here.cache)
    values = configuration(
        host="127.0.0.1",
        port=here.port("spark"),
        scratch=str(here.home / "spark"),
        java_options=options(here.home),
    )
    return (str(distribution() / "bin" / "spark-submit"), *arguments(values, avro=str(avro)))


def spec(here: Settings) -> ServiceSpec:
    if here.spark_remote:
        return ServiceSpec(name="spark", address=here.spark.partition(";")[0], healthy=lambda: check_remote(here.spark))
    address = f"127.0.0.1:{here.port('spark')}"
    return ServiceSpec(
        name="spark",
        address=f"sc://{address}",
        argv=command(here),
        port=here.port("spark"),
        env=environment() | {"SPARK_CONNECT_AUTHENTICATE_TOKEN": here.secrets["spark_token"]},
        healthy=lambda: probe.port(address),
        prepare=lambda: (here.home / "spark").mkdir(mode=0o700, exist_ok=True),
    )


def check_remote(address: str) -> None:
    """A Connect server or a standalone master must accept connections; other masters start with the session."""
    scheme, _, rest = address.partition("://")
    if scheme in ("sc", "spark"):
        probe.port(rest.split("/")[0].split(",")[0])
