"""Words, tables and progress for a terminal, and JSON that is almost JSON."""
