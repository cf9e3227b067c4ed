"""Stores from Python: what the command line does, as methods; ``geostore.open`` gives a store."""

from geostore.api.store import GeoStore
from geostore.api.trace import Trace

__all__ = ["GeoStore", "Trace"]
