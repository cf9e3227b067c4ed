"""Tells facts about a photo from passing conditions of the machine, in one table.

A fact is an `ImageError`: the store keeps its kind as the reason why the row is left
out, and later runs do not read the photo again. A condition is a `MachineError`, of
which nothing is kept: an unmounted disk would otherwise shut out every photo on it.
"""

from __future__ import annotations

import errno
import mmap
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from PIL import Image, UnidentifiedImageError

from geostore.errors import ImageError, MachineError

T = TypeVar("T")
_WAITS = (0.05, 0.2, 0.6)
"""Seconds before each further try of a read that failed for a reason that passes quickly: network
disks fail now and then."""

_LARGEST_PHOTO_BYTES = 4 * 178_956_970
"""The pixels of a photo of `photos.MAX_PIXELS`, as Pillow keeps them."""

GO_ON = "then run the same command again; nothing was recorded of the photo"
"""What every sentence about a passing condition ends with."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What an error means that came up while a photo was read or decoded."""

    condition: str
    """A word of `MachineError.condition`; ``missing`` for what is always a fact."""

    remedy: str
    """What to do, as the beginning of a sentence that `GO_ON` ends."""

    is_tried_again: bool = False
    """Whether a moment later the same read may succeed."""


NO_SUCH_NAME = Cause("missing", "")
"""The row names nothing that can be a photo, however healthy the disk is."""

ABSENT = Cause("folder_gone", "mount its disk or put it back")
"""There is no such file. Whether the photo is missing or its disk, its neighbours tell."""

DISK = Cause("disk", "check its disk or network", is_tried_again=True)
MEMORY = Cause("memory", "free memory or lower --concurrency", is_tried_again=True)
PERMISSION = Cause("permission", "let this user read it")
OPEN_FILES = Cause("open_files", "raise the limit (ulimit -n)", is_tried_again=True)

# Any other error of the system is one of the disk: EIO, ESTALE, ENOTCONN, ETIMEDOUT and the like.
_BY_ERRNO = {
    errno.EISDIR: NO_SUCH_NAME,
    errno.ENAMETOOLONG: NO_SUCH_NAME,
    errno.ENOENT: ABSENT,
    errno.ENOTDIR: ABSENT,
    errno.ELOOP: ABSENT,
    errno.EACCES: PERMISSION,
    errno.EPERM: PERMISSION,
    errno.EMFILE: OPEN_FILES,
    errno.ENFILE: OPEN_FILES,
    errno.ENOMEM: MEMORY,
}


def cause_of(error: Exception) -> Cause | None:
    """What an error says of the machine; None where it comes from the photo's own bytes."""
    if isinstance(error, MemoryError):
        return MEMORY
    if not isinstance(error, OSError):
        return None
    if error.errno is not None:
        return _BY_ERRNO.get(error.errno, DISK)
    # Pillow's decoders report their own errors without a number, and a lack of memory so, too.
    return MEMORY if "out of memory" in str(error) else None


def patiently(read: Callable[[], T]) -> T:
    """The result of a read, which is tried again where it fails for a reason that passes quickly.

    Takes a second at most beside the reads. Raises what the last of them raises.
    """
    for wait in _WAITS:
        try:
            return read()
        except (OSError, MemoryError) as error:
            cause = cause_of(error)
            if cause is None or not cause.is_tried_again:
                raise
        time.sleep(wait)
    return read()


def _has_memory() -> bool:
    """Whether this process can still get as much memory as the largest photo takes."""
    try:
        mmap.mmap(-1, _LARGEST_PHOTO_BYTES).close()  # no page of it is touched
    except (OSError, MemoryError):
        return False
    return True


def decoding_error(error: Exception) -> ImageError | MachineError:
    """What to raise for an error that a decoder raised over a photo's bytes.

    Broken bytes make decoders raise OSError, SyntaxError, ValueError, struct.error and
    more, so whatever is no condition of the machine is the photo's.
    """
    if isinstance(error, ImageError | MachineError):
        return error
    if isinstance(error, Image.DecompressionBombError):
        return ImageError(f"the photo is too large to decode: {error}", kind="too_large")
    cause = cause_of(error)
    if cause is None and not _has_memory():
        # Several decoders report a lack of memory in the words they have for broken bytes.
        cause = MEMORY
    if cause is None:
        # Pillow names the object in memory that it read from, which is another one each time.
        unknown = isinstance(error, UnidentifiedImageError)
        why = "its bytes are no image of a known format" if unknown else str(error)
        return ImageError(f"the photo cannot be decoded: {why}", kind="undecodable")
    reason = "there is not enough memory" if cause is MEMORY else str(error)
    return MachineError(
        f"a photo cannot be decoded now: {reason}; {cause.remedy}, {GO_ON}",
        condition=cause.condition,
        alone=True,
    )
