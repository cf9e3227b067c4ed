"""The teacher behind an API: the only room that knows its client."""

from geostore.teacher.address import Address
from geostore.teacher.azure import check_azure
from geostore.teacher.client import Teacher
from geostore.teacher.finish_reasons import is_broken, is_known_finish
from geostore.teacher.keys import KeyChoice
from geostore.teacher.limits import LIMIT_HELP
from geostore.teacher.masking import MASK
from geostore.teacher.route import NO_PROXY, Route
from geostore.teacher.travel import Travel, travelling_members

__all__ = [
    "LIMIT_HELP",
    "MASK",
    "NO_PROXY",
    "Address",
    "KeyChoice",
    "Route",
    "Teacher",
    "Travel",
    "check_azure",
    "is_broken",
    "is_known_finish",
    "travelling_members",
]
