"""The teacher behind an API: the only room that knows its client."""

from geostore.teacher.address import Address
from geostore.teacher.client import Teacher
from geostore.teacher.finish_reasons import is_broken, is_known_finish
from geostore.teacher.limits import LIMIT_HELP
from geostore.teacher.travel import Travel, travelling_members

__all__ = [
    "LIMIT_HELP",
    "Address",
    "Teacher",
    "Travel",
    "is_broken",
    "is_known_finish",
    "travelling_members",
]
