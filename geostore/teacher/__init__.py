"""The teacher behind an API: the only room that knows its client."""

from geostore.teacher.address import Address
from geostore.teacher.client import Teacher

__all__ = ["Address", "Teacher"]
