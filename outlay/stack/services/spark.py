"""A warm Spark Connect server, from the pyspark wheel: a build's session starts in a second rather than in six."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from outlay.settings import Settings
from outlay.stack import jars, probe
from outlay.stack.java import options
from outlay.stack.spec import ServiceSpec

SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
HEAP = "1200m"
_CLOUD = "org.apache.spark.internal.io.cloud"


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


def arguments(values: Mapping[str, str], *, class_path: Sequence[Path]) -> list[str]:
    """What follows ``spark-submit``; `class_path` are the jars of `libraries`."""
    return [
        *("--class", SERVER, "--name", "outlay", "--master", "local[*]"),
        *("--driver-memory", HEAP, "--driver-class-path", os.pathsep.join(map(str, class_path))),
        *(part for name, value in values.items() for part in ("--conf", f"{name}={value}")),
        "spark-internal",
    ]


def jar_groups(here: Settings) -> list[str]:
    """Which jars (`outlay.stack.jars.PINS`) a Spark that we start needs: none when another Connect server is used."""
    if (here.spark_remote or "").startswith("sc://"):
        return []
    return ["spark", "s3"] if _on_s3(here) else ["spark"]


def libraries(here: Settings) -> list[Path]:
    """The jars of `jar_groups`."""
    return [path for group in jar_groups(here) for path in jars.paths(group, here.cache)]


def lake_options(here: Settings) -> dict[str, str]:
    """Spark's settings for a lake on S3; none for another.

    Endpoint and region are those of the usual AWS variables; the keys Spark takes from them by itself. What tasks write
    are uploads that S3 completes when the job commits, so that nothing is renamed, and a task that died left nothing.
    """
    if not _on_s3(here):
        return {}
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    given = {
        "fs.s3a.endpoint": endpoint,
        "fs.s3a.endpoint.region": region,
        "fs.s3a.path.style.access": "true" if endpoint else None,
        "fs.s3a.committer.name": "magic",
    }
    return {
        "spark.sql.sources.commitProtocolClass": f"{_CLOUD}.PathOutputCommitProtocol",
        "spark.sql.parquet.output.committer.class": f"{_CLOUD}.BindingParquetOutputCommitter",
        **{f"spark.hadoop.{name}": value for name, value in given.items() if value},
    }


def _on_s3(here: Settings) -> bool:
    return here.lake.startswith("s3://")


def environment() -> dict[str, str]:
    return {"SPARK_HOME": str(jars.spark_home()), "SPARK_LOCAL_IP": "127.0.0.1"}


def command(here: Settings) -> tuple[str, ...]:
    values = configuration(
        host="127.0.0.1",
        port=here.port("spark"),
        scratch=str(here.home / "spark"),
        java_options=options(here.home),
    )
    submitted = arguments(values | lake_options(here), class_path=libraries(here))
    return (str(jars.spark_home() / "bin" / "spark-submit"), *submitted)


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
