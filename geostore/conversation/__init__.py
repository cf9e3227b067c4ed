"""A conversation as a function of its rows: what was sent, what comes next, its images."""
