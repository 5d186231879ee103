"""Models: pure functions of plain records, without a database, a clock or chance."""
