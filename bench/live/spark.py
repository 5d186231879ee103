"""Spark Structured Streaming as a system under measurement, in a Python environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.live.system import TOPIC, Running, System, Task
from ingestion import contracts
from outlay.settings import PROJECT, settings

_REQUIREMENTS = Path(__file__).with_name("spark-requirements.txt")
_PACKAGES = "org.apache.spark:spark-sql-kafka-0-10_2.13:4.0.0,org.apache.spark:spark-avro_2.13:4.0.0"


class Spark(System):
    """`python -m bench.live.spark_sink`: foreachBatch, COPY and a merge."""

    name = "spark"
    application = "bench-spark"
    by_triggers = True

    def prepare(self) -> None:
        """Make the environment and download the jars.

        Raises:
            subprocess.CalledProcessError: a download failed; what it printed is above.
        """
        done = self._home / "complete"
        wanted = f"{_REQUIREMENTS.read_text()}{_PACKAGES}\n"
        if done.exists() and done.read_text() == wanted:
            return
        shutil.rmtree(self._home, ignore_errors=True)
        if uv := shutil.which("uv"):
            subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, self._home / "venv"], check=True)
            install = [uv, "pip", "install", "--quiet", "--python", self._python]
        else:
            subprocess.run([sys.executable, "-m", "venv", self._home / "venv"], check=True)
            install = [self._python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, "--requirement", _REQUIREMENTS], check=True)
        session = (
            "from pyspark.sql import SparkSession; SparkSession.builder.config('spark.ui.enabled', 'false')"
            f".config('spark.jars.ivy', {str(self._home / 'ivy')!r}).config('spark.jars.packages', {_PACKAGES!r})"
            ".getOrCreate().stop()"
        )
        subprocess.run([self._python, "-c", session], check=True, stdout=subprocess.DEVNULL)
        done.write_text(wanted)

    def start(self, task: Task) -> Running:
        task.folder.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {
            "PYTHONPATH": str(PROJECT),
            "BENCH_DSN": task.dsn,
            "BENCH_KAFKA": task.bootstrap,
            "BENCH_START": json.dumps({TOPIC: {str(number): offset for number, offset in task.start.items()}}),
            "BENCH_SCHEMA": json.dumps(contracts.schema(TOPIC)),
            "BENCH_FOLDER": str(task.folder),
            "BENCH_JARS": ",".join(map(str, self._jars())),
            "PYSPARK_PYTHON": str(self._python),
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        with (task.folder / "spark.log").open("ab") as log:
            command = [self._python, "-m", "bench.live.spark_sink"]
            return Running([subprocess.Popen(command, env=environment, stdout=log, stderr=log)])

    def _jars(self) -> list[Path]:
        """Those that pyspark does not have already."""
        return [jar for jar in sorted((self._home / "ivy" / "jars").glob("*.jar")) if "hadoop" not in jar.name]

    @property
    def _home(self) -> Path:
        return settings().cache / "bench-spark"

    @property
    def _python(self) -> Path:
        return self._home / "venv" / "bin" / "python"
