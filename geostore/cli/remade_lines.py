"""The lines of `geostore import` about images that were made again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from geostore.text.phrases import format_counts, format_number_of

if TYPE_CHECKING:
    from geostore.importing import ReadFrame, RemakeResult
    from geostore.proofs import ProofKind

_FRAMES = {
    "norm1000": "a scale from 0 to 1000",
    "norm1000_yx": "a scale from 0 to 1000, y first",
    "pixel": "pixels of the photo as sent",
    "full_pixel": "pixels of the photo at full resolution",
    "relative": "fractions from 0 to 1",
}
_PROOFS: dict[ProofKind, str] = {
    "exact": "exact",
    "near": "near",
    "unseen": "unseen",
    "not": "not proven",
}


def remade_lines(remade: RemakeResult) -> Iterator[str]:
    """What a person reads of an import's images, a line each."""
    for frame in remade.frames:
        yield _frame_line(frame)
    if remade.traces:
        kinds = ", ".join(
            f"{remade.images[kind]:,} {words}"
            for kind, words in _PROOFS.items()
            if remade.images[kind]
        )
        traces = format_number_of(remade.traces, "trace")
        yield f"images made again for {traces}: {kinds} (geostore query images_again)"
    if remade.left_out:
        traces = format_number_of(remade.left_out, "trace")
        yield f"an export with images leaves out {traces}, because images cannot be made again:"
        for trace in remade.named:
            image = f"image {trace.image_index}" if trace.image_index else "the photo"
            turn = f" (turn {trace.turn})" if trace.turn else ""
            yield f"  {trace.trace}: {image}{turn}: {trace.why}"
        if remade.left_out > len(remade.named):
            yield f"  and {remade.left_out - len(remade.named):,} more"
    if remade.no_file:
        yield (
            f"the images of {format_number_of(remade.no_file, 'trace')} wait, because a file or a "
            f"dataset cannot be read ({remade.no_file_why}); the next import goes on with them"
        )


def _frame_line(frame: ReadFrame) -> str:
    choice = frame.choice
    start = f"recipe {frame.recipe}: boxes in {_FRAMES[choice.frame]} ({choice.frame})"
    fitting = f"{choice.fitting:,} of {choice.boxes:,}"
    if choice.known_by == "given":
        return f"{start}, as --bbox-frame says; {fitting} fit it"
    if choice.known_by == "images":
        counts = {str(name): count for name, count in choice.others.items()}
        others = f" (in other frames: {format_counts(counts)})" if counts else ""
        return f"{start}; {fitting} give the images in the files{others}"
    if not choice.fitting:
        return (
            f"{start}; {fitting} fit it, and none fits another frame, so nothing proves it; "
            "--bbox-frame names another"
        )
    return (
        f"{start}; {fitting} fit it, which is inferred and not proven, because the files hold no "
        "images; --bbox-frame names another"
    )
