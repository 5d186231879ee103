"""A Kafka that is not there is told at once."""

import socket

import pytest
from confluent_kafka import KafkaError, KafkaException

from ingestion.reach import require


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("form", ["{}", "SASL_SSL://{}", "127.0.0.1:1, {}", "nonsense,{}"])
def test_one_server_that_accepts_a_connection_is_enough(listening, form):
    require(form.format(listening))


@pytest.mark.parametrize("bootstrap", ["127.0.0.1:1", "127.0.0.1:1,[::1]:1", "nonsense", ""])
def test_where_none_does_the_error_names_the_last_one(bootstrap):
    with pytest.raises(KafkaException, match=r"no broker accepts a connection") as caught:
        require(bootstrap)
    assert caught.value.args[0].code() == KafkaError._ALL_BROKERS_DOWN
    assert bootstrap.rpartition(",")[2] in caught.value.args[0].str()
