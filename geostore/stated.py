"""What a reader of responses gives: the coordinates of an answer, and what stands beside them."""

from __future__ import annotations

from dataclasses import dataclass

from geostore.one_line import OneLine


@dataclass(frozen=True, slots=True)
class Stated:
    """What an answer says beside its coordinates, in the teacher's own words."""

    country: str | None = None
    """As written, without the markup around it; None where none is named."""
    region: str | None = None
    """State, province or the like, likewise."""
    city: str | None = None
    """Town or place, likewise."""
    confidence: float | None = None
    """How sure the teacher says it is, from 0 to 1; None where it does not say."""
    confidence_form: str | None = None
    """How the confidence was written, such as ``percent``; None exactly where there is none."""


@dataclass(frozen=True, slots=True, repr=False)
class Answer(OneLine):
    """Coordinates read from a final response, or why there are none."""

    lat: float | None
    """Degrees north; None exactly where `failure` is set."""
    lon: float | None
    """Degrees east; None exactly where `failure` is set."""
    form: str | None
    """The form that matched or failed (`answers.FORMS`); None where the text holds none."""
    failure: str | None
    """Why no point could be read (`answers.FAILURES`); None where one was."""
    flags: tuple[str, ...]
    """Sorted."""
    stated: Stated = Stated()
    """Words and a confidence; an answer without coordinates may have them too."""
