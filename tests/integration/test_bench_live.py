"""The benchmark of live measures what it says: a content that is not the log's is no figure."""

from __future__ import annotations

import psycopg
import pytest

from bench.live.__main__ import Bench
from bench.live.plain import Plain
from bench.live.projector import Projector
from bench.live.system import Running, Task

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

EVENTS = 30_000  # several batches of each


class Careless(Plain):
    """A sink that is wrong in one row, by a cent."""

    name = "careless"

    def start(self, task: Task) -> Running:
        with psycopg.connect(task.dsn) as connection:
            connection.execute(
                "CREATE FUNCTION peer.careless() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "NEW.amount := NEW.amount + CASE NEW.kafka_offset WHEN (SELECT min(next_offset) FROM live.offsets "
                "WHERE topic = 'transaction') THEN 0.01 ELSE 0 END; RETURN NEW; END $$"
            )
            connection.execute(
                "CREATE TRIGGER careless BEFORE INSERT ON peer.transactions "
                "FOR EACH ROW EXECUTE FUNCTION peer.careless()"
            )
        return super().start(task)


def test_a_drain_is_measured_of_those_alone_whose_contents_are_what_the_log_says(stack):
    said: list[str] = []
    systems = [Projector(), Plain(), Careless()]
    found = Bench(EVENTS, 500, systems, said.append).run(["drain"], rounds=1, seconds=0)
    right, wrong = found["systems"], found["systems"].pop("careless")
    assert right.keys() == {"outlay", "outlay plain"}
    assert all(of["events_per_second"] > 0 and of["sink_cpu_us"] > 0 and "invalid" not in of for of in right.values())
    assert wrong == {"invalid": "peer.transactions is not what the log says"}
    assert found["limits"].keys() == {"merge", "upsert", "consume"}
