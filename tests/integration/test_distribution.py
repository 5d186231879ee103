"""Every row that belongs to a workspace can be kept on the server of its workspace: docs/growth.md says so."""

from __future__ import annotations

import pytest

from tests.integration.warehouse import build, opened, purchase

pytestmark = [pytest.mark.integration, pytest.mark.small]

UNIQUE_WITHOUT = """
    SELECT c.relnamespace::regnamespace || '.' || c.relname
    FROM pg_index AS i
    INNER JOIN pg_class AS c ON c.oid = i.indrelid AND NOT c.relispartition
    INNER JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped
    WHERE i.indisunique AND c.relnamespace::regnamespace::text IN ('live', 'silver', 'intermediate', 'gold')
      AND a.attnum <> ALL (i.indkey::int2[])
    ORDER BY 1
"""

NAMES_PLACES_IN_THE_LOG = ["silver.quarantine"]


def test_every_key_of_what_belongs_to_a_workspace_contains_it(stack, tmp_path):
    with opened(stack, tmp_path) as warehouse:
        warehouse.publish(purchase())
        build()
        assert [name for (name,) in warehouse.connection.execute(UNIQUE_WITHOUT)] == NAMES_PLACES_IN_THE_LOG
