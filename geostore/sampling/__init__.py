"""Which rows of a dataset are asked about, and in which order."""
