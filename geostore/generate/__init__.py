"""Asks the teacher: one run of `geostore generate`, from its options to the last commit."""
