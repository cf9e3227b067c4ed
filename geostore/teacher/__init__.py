"""The teacher behind an API: the only room that knows its client."""

from geostore.teacher.address import Address
from geostore.teacher.client import Teacher
from geostore.teacher.finish_reasons import is_known_finish

__all__ = ["Address", "Teacher", "is_known_finish"]
