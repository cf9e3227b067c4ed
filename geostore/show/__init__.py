"""Shows a person one trace: as text for a terminal, and its images as files."""
