"""What can be expected to fail, as one line for the person at the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from outlay.cli import Failure


@contextmanager
def failing(*expected: type[Exception], left: str = "") -> Iterator[None]:
    """Turn errors of the `expected` kinds, and a database that is away, into a `Failure`.

    Args:
        left: what the failure leaves, such as ``live is as it was; ``.

    Raises:
        Failure: see above; any other error goes on as it is.
    """
    try:
        yield
    except expected as error:
        raise Failure(str(error)) from error
    except psycopg.OperationalError as error:
        said = str(error).strip().partition("\n")[0]
        raise Failure(f"the database does not answer ({said}): {left}see `outlay status`, then run it again") from error
