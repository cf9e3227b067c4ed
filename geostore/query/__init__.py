"""Reads a store with DuckDB: questions in SQL, statistics, and the status of a run."""
