"""The topics, as external assets: producers write them, Dagster does not."""

from dagster import AssetSpec

_HOLD = {
    "user": "Changes of users, workspaces, memberships, accounts, categories, rules, budgets and preferences.",
    "transaction": "Every change of every transaction, with the whole state after the change.",
    "report": "Steps in the life of each report: requested, produced, delivered, failed.",
    "reminder": "Steps in the life of each reminder: set, due, delivered, snoozed, cancelled, failed.",
}

topics = [
    AssetSpec(
        ["kafka", name],
        description=f"{holds} Avro events, keyed by workspace; kept until bronze holds them.",
        group_name="kafka",
        kinds={"kafka", "avro"},
        owners=["team:data"],
        tags={"outlay/layer": "log"},
    )
    for name, holds in _HOLD.items()
]
