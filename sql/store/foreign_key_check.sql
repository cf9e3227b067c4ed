-- Rows that point to a row which is not there.
-- Grain: one row per such reference: table, its rowid (null where it has none), the table pointed to,
-- number of the foreign key. Dialect: SQLite.
pragma foreign_key_check
