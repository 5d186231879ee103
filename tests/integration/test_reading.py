"""Reading live during a long append."""

import pytest

from outlay.ledger.reading import Reader

pytestmark = [pytest.mark.integration, pytest.mark.small]


def test_an_interrupt_in_the_middle_of_a_question_is_what_the_caller_sees(stack):
    def interrupted(connection):
        connection.pgconn.send_query(b"SELECT pg_sleep(1)")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Reader(stack) as reader:
        reader.ask(interrupted)
