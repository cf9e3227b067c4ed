"""What many tests need: small real photos, a real dataset on disk, a real store."""

from __future__ import annotations

import atexit
import io
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from tests.examples import examples
from tests.hand_made import Traces, make_frame

# What tests load with `datasets` itself is copied; not into the tester's own cache.
_CACHE = tempfile.mkdtemp(prefix="geostore-tests-")
os.environ["HF_HOME"] = _CACHE
atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)

# nohup and an `&` in a script let signals be ignored, which every process that a test starts would
# inherit. A handler that does nothing protects the tests alike, and is not inherited.
for _number in (signal.SIGHUP, signal.SIGINT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda number, frame: None)


# For properties that do not say how many. A busy machine is no failure, so there is no deadline.
settings.register_profile("geostore", max_examples=examples(100), deadline=None)
settings.load_profile("geostore")


def photo_bytes(
    seed: int = 0, *, size: tuple[int, int] = (320, 240), format: str = "JPEG"
) -> bytes:
    """A photo that is like no other: smooth colours and noise from a seed."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, format, quality=90)
    return out.getvalue()


def save_dataset(path: Path, photos: list[bytes], **columns: list[object]) -> Path:
    """A dataset as `save_to_disk` writes it; coordinates follow the row unless given."""
    import datasets

    count = len(photos)
    values: dict[str, list[object]] = {
        "image": [{"bytes": photo, "path": None} for photo in photos],
        "lat": [10.0 + i for i in range(count)],
        "lon": [20.0 + i for i in range(count)],
        "locatability_score": [round(0.05 + i / (count + 1), 3) for i in range(count)],
        "country": ["france"] * count,
        **columns,
    }
    dataset = datasets.Dataset.from_dict(values).cast_column("image", datasets.Image())
    dataset.save_to_disk(str(path))
    return path


@pytest.fixture(scope="session")
def photo_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved dataset of twelve small photos; shared, so only for reading."""
    path = tmp_path_factory.mktemp("data") / "photos"
    return save_dataset(path, [photo_bytes(seed) for seed in range(12)])


@pytest.fixture(autouse=True)
def _no_teacher_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tester's own key and server must not take part."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "GEOSTORE_STORE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a dataset and a recipe; to be copied, which is quicker than migrating."""
    return make_frame(tmp_path_factory.mktemp("template") / "geostore.db")


@pytest.fixture
def traces(tmp_path: Path, template: Path) -> Iterator[Traces]:
    """A store for traces that are made by hand."""
    made = Traces(Path(shutil.copy(template, tmp_path / "geostore.db")))
    yield made
    made.connection.close()
