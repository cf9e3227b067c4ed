"""The teacher behind an API: the only room that knows its client."""

from geostore.teacher.client import Teacher, without_credentials

__all__ = ["Teacher", "without_credentials"]
