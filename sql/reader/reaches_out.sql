-- Whether a statement may reach files and the network: only in a reader opened with --unsafe.
-- Grain: one row. Dialect: DuckDB.
select current_setting('enable_external_access') as reaches_out;
