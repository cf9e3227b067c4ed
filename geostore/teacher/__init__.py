"""The teacher behind an API: the only room that knows its client."""

from geostore.teacher.address import without_secrets
from geostore.teacher.client import Teacher

__all__ = ["Teacher", "without_secrets"]
