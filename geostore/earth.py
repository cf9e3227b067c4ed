"""The sphere on which distances are measured where nothing asks for the ellipsoid (`geodesic`)."""

EARTH_RADIUS_KM = 6371.0
"""Of places, of rewards unless they name another, and of what compares places without a reward."""
