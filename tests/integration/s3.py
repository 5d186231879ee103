"""A real S3 server for tests, with one bucket."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
import httpx
import pytest
import s3fs
from moto.server import ThreadedMotoServer

BUCKET, SECRET = "lake", "the-secret-of-the-tests"
LAKE = f"s3://{BUCKET}/outlay"


@dataclass
class S3:
    server: ThreadedMotoServer
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str = "s3"):
        return boto3.client(service, endpoint_url=self.url)

    def stored(self) -> list[str]:
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
        """On the port where it was before; what it holds is still there."""
        self.server = ThreadedMotoServer("127.0.0.1", port=self.port, verbose=False)
        self.server.start()


@contextmanager
def s3_server() -> Iterator[S3]:
    """The server; meanwhile the AWS variables of this process lead to it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    here = S3(server, server.get_host_and_port()[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", here.url)
        patch.setenv("AWS_ACCESS_KEY_ID", "key-of-the-tests")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        s3fs.S3FileSystem.clear_instance_cache()
        here.client().create_bucket(Bucket=BUCKET)
        try:
            yield here
        finally:
            httpx.post(f"{here.url}/moto-api/reset")
            here.stop()
            s3fs.S3FileSystem.clear_instance_cache()
