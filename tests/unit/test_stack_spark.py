"""What Spark is started with, by where the lake is and whose Spark it is."""

import os
from pathlib import Path

import pytest

from orchestration.spark import spark_config
from outlay.settings import Settings
from outlay.stack import jars
from outlay.stack.services import spark

CACHE = Path("/cache")


@pytest.fixture(autouse=True)
def aws(monkeypatch):
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    return monkeypatch


def here(**given: str) -> Settings:
    return Settings(home="/home", cache=CACHE, **given)


def test_a_lake_in_a_folder_needs_nothing_for_s3():
    given = here(spark_remote="local[2]")
    assert spark.jar_groups(given) == ["spark"]
    assert spark.lake_options(given) == {}


def test_a_lake_on_s3_brings_its_jars_and_amazons_own_endpoint(aws):
    aws.setenv("AWS_REGION", "eu-central-1")
    given = here(lake_url="s3://bucket/prefix", spark_remote="spark://10.0.0.1:7077")
    config = spark_config(given)
    expected = [*jars.paths("spark", CACHE), *jars.paths("s3", CACHE)]
    assert config["spark.jars"].split(",") == [str(path) for path in expected]
    assert {name: value for name, value in config.items() if "fs.s3a" in name} == {
        "spark.hadoop.fs.s3a.committer.name": "magic",
        "spark.hadoop.fs.s3a.endpoint.region": "eu-central-1",
    }


def test_another_s3_server_is_asked_by_path_and_no_key_is_in_the_configuration(aws):
    aws.setenv("AWS_ENDPOINT_URL", "http://10.0.0.9:9000")
    aws.setenv("AWS_ENDPOINT_URL_S3", "http://10.0.0.8:9000")
    aws.setenv("AWS_SECRET_ACCESS_KEY", "not to be seen")
    options = spark.lake_options(here(lake_url="s3://bucket/prefix"))
    assert options["spark.hadoop.fs.s3a.endpoint"] == "http://10.0.0.8:9000"
    assert options["spark.hadoop.fs.s3a.path.style.access"] == "true"
    assert "not to be seen" not in str(options)


def test_a_connect_server_of_others_brings_its_own_jars():
    assert spark.jar_groups(here(lake_url="s3://bucket/prefix", spark_remote="sc://10.0.0.1:15002")) == []


def test_hadoop_and_spark_are_those_of_pyspark():
    names = {path.name for path in (jars.spark_home() / "jars").iterdir()}
    hadoop, committers, avro = (pin.split(":")[-1] for pin in (jars.HADOOP_AWS, jars.SPARK_COMMITTERS, jars.SPARK_AVRO))
    assert f"hadoop-client-api-{hadoop}.jar" in names
    assert {f"spark-core_2.13-{version}.jar" for version in (committers, avro)} <= names


def test_spark_on_s3_has_no_library_twice():
    brought = {path.name.rpartition("-")[0] for path in (jars.spark_home() / "jars").iterdir()}
    added = [path.name.rpartition("-")[0] for group in ("spark", "s3") for path in jars.paths(group, CACHE)]
    assert len(added) == len(set(added))
    assert brought & set(added) == set()
