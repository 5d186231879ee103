"""Dead letters: what the projector could not read, or PostgreSQL refused, kept whole in `live.dead_letters`.

The projector writes them (`ingestion.projection.view`). Here they are published to Kafka, looked at, retried and
discarded.
"""
