"""The files of an export: its folder, rows and manifest, and whether they are what they were."""
