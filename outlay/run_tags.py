"""Tags that Dagster's runs carry, as those who start them and those who read them spell them."""

LAUNCHED_BY = "outlay/launched_by"
"""Who started a run: cli, demo, schedule, sensor, condition; of the rest Dagster knows more itself."""

FULL_REFRESH = "outlay/full_refresh"
"""``true``: gold is to be made from all of silver."""
