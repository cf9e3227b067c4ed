"""SQL statements of geostore, one per file; loaded by `geostore.sqlfiles`."""
