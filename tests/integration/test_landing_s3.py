"""The lake on S3: what lands on a folder lands there, and what S3 refuses loses nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest
import s3fs

from ingestion import events
from ingestion.landing import CorruptedFile, LakeUnavailable, read_file, store
from outlay.ledger import layers
from tests.integration.bronze import Bronze, own_bronze
from tests.integration.s3 import BUCKET, LAKE, S3, SECRET, s3_server
from tests.landing import append, purchase

pytestmark = [pytest.mark.integration, pytest.mark.small, pytest.mark.timeout(120)]
TOPIC = "transaction"


@pytest.fixture
def s3() -> Iterator[S3]:
    with s3_server() as here:
        yield here


@pytest.fixture
def bronze(stack, s3) -> Iterator[Bronze]:
    """A manifest of its own whose lake is on S3, with nothing to land."""
    with own_bronze(stack, LAKE) as here:
        here.skip(TOPIC)
        yield here


def landed(bronze: Bronze, count: int = 12, **limits: int) -> list[dict]:
    purchases = [purchase(events.new_id()) for _ in range(count)]
    append(bronze.stack, *purchases)
    bronze.land(topics=[TOPIC], **limits)
    return purchases


def values(bronze: Bronze) -> dict[UUID, dict]:
    read = [row["value"] for row in bronze.read()]
    by_id = {value["event_id"]: value for value in read}
    assert len(by_id) == len(read)
    return by_id


def test_events_land_on_s3_and_are_read_back_as_they_were_written(bronze, s3):
    purchases = landed(bronze)
    assert values(bronze) == {each["event_id"]: each for each in purchases}
    assert sorted(s3.stored()) == sorted(f"outlay/{file.path}" for file in bronze.files)
    figures = layers._bronze(bronze.files, bronze.lake)
    assert figures == {"transactions": 12, "totals": {"EUR": "14.76"}}


def test_a_damaged_and_a_missing_object_are_named_by_readers_and_by_the_audit(bronze, s3):
    landed(bronze)
    damaged, missing, *_ = bronze.files
    store.put(LAKE, damaged.path, b"something else")
    s3.client().delete_object(Bucket=BUCKET, Key=f"outlay/{missing.path}")
    for file, found in ((damaged, "found 14 bytes"), (missing, "found no file")):
        with pytest.raises(CorruptedFile, match=found) as error:
            list(read_file(LAKE, file))
        assert f"{LAKE}/{file.path}" in str(error.value)
    problems = {finding.path: finding.problem for finding in bronze.audit().findings if finding.path}
    assert problems == {damaged.path: "damaged", missing.path: "missing"}


def test_the_manifest_is_made_again_from_s3(bronze):
    purchases = landed(bronze)
    before = bronze.rows()
    bronze.connection.execute("DELETE FROM bronze.files WHERE file_id % 2 = 0")
    done = bronze.rebuild()
    assert sorted(done.added) == sorted(row[8] for row in before[0] if row[-1] % 2 == 0)
    assert [row[:-1] for row in bronze.rows()[0]] == [row[:-1] for row in before[0]]
    assert bronze.rows()[1] == [row for row in before[1] if row[2] in {file.partition for file in bronze.files}]
    assert values(bronze) == {each["event_id"]: each for each in purchases}


def test_an_upload_that_was_torn_leaves_nothing_that_a_reader_sees(bronze, s3):
    client = s3.client()
    key = "outlay/bronze/transaction/log/ingest_date=2026-11-20/0+0-9.avro"
    upload = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=b"x" * (5 << 20))
    assert store.listing(LAKE, "bronze") == {}
    with pytest.raises(FileNotFoundError):
        store.read(LAKE, key.removeprefix("outlay/"))
    purchases = landed(bronze)
    assert values(bronze) == {each["event_id"]: each for each in purchases}
    assert not [finding for finding in bronze.audit().findings if finding.problem == "orphan"]


def test_a_server_that_goes_away_in_a_landing_loses_nothing(bronze, s3, monkeypatch):
    workspace = events.new_id()
    purchases = [purchase(workspace) for _ in range(12)]
    append(bronze.stack, *purchases)
    put, stored = store.put, []

    def going_away(*given):
        if len(stored) == 2:
            s3.stop()
        put(*given)
        stored.append(given[1])

    with monkeypatch.context() as patched:
        patched.setattr(store, "put", going_away)
        with pytest.raises(LakeUnavailable, match=rf"the lake {LAKE} .*AWS_ENDPOINT_URL"):
            bronze.land(topics=[TOPIC], max_rows=5)
    assert [file.path for file in bronze.files] == stored
    s3.start()
    bronze.land(topics=[TOPIC], max_rows=5)
    assert [row["value"] for row in bronze.read()] == purchases


def test_a_bucket_that_is_not_there_is_one_clear_error_and_loses_nothing(bronze, s3):
    append(bronze.stack, purchase(events.new_id()))
    bronze.lake = "s3://absent/outlay"
    with pytest.raises(LakeUnavailable, match=r"s3://absent/outlay .*NoSuchBucket.*create the bucket") as error:
        bronze.land(topics=[TOPIC])
    assert SECRET not in str(error.value)
    with pytest.raises(LakeUnavailable, match="NoSuchBucket"):
        bronze.audit()
    assert bronze.files == []
    bronze.lake = LAKE
    (after,) = bronze.land(topics=[TOPIC])
    assert after.rows == 1


def test_keys_that_s3_does_not_take_are_one_clear_error_without_them(bronze, s3, monkeypatch):
    iam = s3.client("iam")
    iam.create_user(UserName="outlay")
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="outlay", PolicyName="lake", PolicyDocument=json.dumps(allowed))
    good = iam.create_access_key(UserName="outlay")["AccessKey"]
    httpx.post(f"{s3.url}/moto-api/reset-auth", content="0").raise_for_status()  # from now on keys are looked at
    append(bronze.stack, purchase(events.new_id()))
    for key, secret in (("nobodys-key", SECRET), (good["AccessKeyId"], "not-the-secret")):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        s3fs.S3FileSystem.clear_instance_cache()
        with pytest.raises(LakeUnavailable, match=rf"the lake {LAKE} .*AWS_\* variables") as error:
            bronze.land(topics=[TOPIC])
        assert secret not in str(error.value)
        assert key not in str(error.value)
        assert error.value.__cause__ is None
    assert bronze.files == []
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", good["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", good["SecretAccessKey"])
    s3fs.S3FileSystem.clear_instance_cache()
    (after,) = bronze.land(topics=[TOPIC])
    assert after.rows == 1
    httpx.post(f"{s3.url}/moto-api/reset-auth", content="inf")
