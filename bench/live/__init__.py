"""How fast, how soon and how safely events come from Kafka into PostgreSQL: the projector beside its peers."""
