"""Child processes: started, given tasks, replaced when they die, and ended with their parent."""

from geostore.children.child import Child
from geostore.children.crew import Crew

__all__ = ["Child", "Crew"]
