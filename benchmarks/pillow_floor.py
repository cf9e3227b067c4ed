"""The yardstick of `verify_rate`: the images of a store made by Pillow alone, and hashed.

A module of its own, because its workers import it.
"""

from __future__ import annotations

import hashlib
import io
import time
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event, Semaphore

from PIL import Image


@dataclass(frozen=True)
class Step:
    """What the floor does for one tool image. source: number of the image it is made of."""

    source: int
    box: tuple[int, int, int, int] | None
    angle: float | None
    size: tuple[int, int]
    sha256: str


@dataclass(frozen=True)
class Job:
    """One photo and the images that were made of it, the photo as sent first."""

    data: bytes
    size: tuple[int, int]
    sha256: str
    steps: tuple[Step, ...]


Result = tuple[float, int] | RuntimeError
"""CPU seconds of a worker and its number of images, or what went wrong."""


def floor_worker(
    jobs: list[Job], ready: Semaphore, go: Event, results: SimpleQueue[Result]
) -> None:
    """Derive the images of some photos; CPU seconds and how many, or what went wrong."""
    try:
        derive(jobs[0])
    except RuntimeError as error:
        results.put(error)
        return
    finally:
        ready.release()
    go.wait()
    began = time.process_time()
    images = sum(derive(job) for job in jobs)
    results.put((time.process_time() - began, images))


def derive(job: Job) -> int:
    """Make all images of a photo; how many. Raises RuntimeError for one with another hash."""
    hashlib.sha256(job.data).hexdigest()
    full = {0: Image.open(io.BytesIO(job.data)).convert("RGB")}
    _check(full[0].resize(job.size, Image.Resampling.LANCZOS), job.sha256)
    for number, step in enumerate(job.steps, 1):
        image = full[step.source]
        if step.box is not None:
            image = image.crop(step.box)
        elif step.angle is not None:
            image = image.rotate(step.angle, Image.Resampling.BICUBIC, expand=True)
        full[number] = image
        if image.size != step.size:
            image = image.resize(step.size, Image.Resampling.LANCZOS)
        _check(image, step.sha256)
    return 1 + len(job.steps)


def _check(image: Image.Image, sha256: str) -> None:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90, subsampling="4:2:0", comment="")
    if hashlib.sha256(out.getvalue()).hexdigest() != sha256:
        raise RuntimeError("the floor made another image than the store knows")
