"""What is a fact about a photo and what only a condition of the machine, with real files."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from geostore.dataset import PhotoDataset
from geostore.errors import DatasetError, ImageError, MachineError
from tests.conftest import photo_bytes, save_dataset
from tests.photo_folders import (
    EIO_FILE,
    no_more_open_files,
    photos_on_a_disk,
    save_names,
    without_rights,
)


def condition(dataset: PhotoDataset, row: int) -> tuple[str, bool, str]:
    """The word, whether the photo is alone, and the sentence."""
    with pytest.raises(MachineError) as error:
        dataset.read_sample(row)
    return error.value.condition, error.value.alone, str(error.value)


class TestAFileThatIsNotThere:
    def test_it_is_missing_while_its_neighbours_are_there(self, tmp_path: Path) -> None:
        """Also where the nearest are lost as well."""
        path, disk = photos_on_a_disk(tmp_path, 9)
        for row in (3, 4, 5):
            (disk / f"{row}.jpg").unlink()
        dataset = PhotoDataset.open(path)
        assert [dataset.read_sample(row).exclusion for row in (3, 4, 5, 6)] == [
            *("missing",) * 3,
            None,
        ]

    def test_a_folder_that_is_gone_says_nothing_of_its_photos(self, tmp_path: Path) -> None:
        path, disk = photos_on_a_disk(tmp_path, 3)
        dataset = PhotoDataset.open(path)
        disk.rename(tmp_path / "away")
        word, alone, sentence = condition(dataset, 1)
        assert (word, alone) == ("folder_gone", False)
        assert sentence == (
            f"{path}: the photo of row 1 cannot be read: its folder {disk} is not there; mount its "
            "disk or put it back, then run the same command again; nothing was recorded "
            "of the photo"
        )
        (tmp_path / "away").rename(disk)
        assert dataset.read_sample(1).exclusion is None

    def test_an_empty_mount_point_says_nothing_of_its_photos(self, tmp_path: Path) -> None:
        path, disk = photos_on_a_disk(tmp_path, 3)
        disk.rename(tmp_path / "away")
        disk.mkdir()
        assert f"its folder {disk} is empty" in condition(PhotoDataset.open(path), 0)[2]

    def test_nor_does_a_mount_point_with_a_note_in_it(self, tmp_path: Path) -> None:
        path, disk = photos_on_a_disk(tmp_path, 40)
        disk.rename(tmp_path / "away")
        disk.mkdir()
        (disk / "NOT_MOUNTED").touch()
        sentence = condition(PhotoDataset.open(path), 0)[2]
        assert f"neither it nor 32 others of the folder {disk}" in sentence

    def test_a_disk_of_several_says_nothing_of_its_photos(self, tmp_path: Path) -> None:
        """Rows take turns between two disks; one of them is away."""
        names = []
        for row in range(20):
            file = tmp_path / f"disk{row % 2}" / f"{row}.jpg"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(photo_bytes(row, size=(32, 24)))
            names.append(str(file))
        dataset = PhotoDataset.open(save_names(tmp_path / "d", names))
        (tmp_path / "disk1").rename(tmp_path / "away")
        assert dataset.read_sample(8).exclusion is None
        assert condition(dataset, 9)[0] == "folder_gone"

    def test_links_are_judged_by_where_they_lead(self, tmp_path: Path) -> None:
        """A folder of links to two disks: the lost target is missing, the disk away is not."""
        path, links = tmp_path / "d", tmp_path / "links"
        links.mkdir()
        names = []
        for row in range(12):
            file = tmp_path / f"disk{row % 2}" / f"{row}.jpg"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(photo_bytes(row, size=(32, 24)))
            (links / f"{row}.jpg").symlink_to(file)
            names.append(str(links / f"{row}.jpg"))
        dataset = PhotoDataset.open(save_names(path, names))
        (tmp_path / "disk0" / "4.jpg").unlink()
        (tmp_path / "disk1").rename(tmp_path / "away")
        assert dataset.read_sample(4).exclusion == "missing"
        word, _, sentence = condition(dataset, 5)
        assert word == "folder_gone"
        assert str(tmp_path / "disk1") in sentence

    def test_a_folder_that_is_a_link_to_a_disk_that_is_away(self, tmp_path: Path) -> None:
        path, disk = photos_on_a_disk(tmp_path, 3)
        disk.rename(tmp_path / "elsewhere")
        disk.symlink_to(tmp_path / "not_mounted")
        dataset = PhotoDataset.open(path)
        assert str(tmp_path / "not_mounted") in condition(dataset, 0)[2]
        disk.unlink()
        disk.symlink_to(disk)  # in a circle
        assert condition(dataset, 0)[0] == "folder_gone"
        disk.unlink()
        disk.symlink_to(tmp_path / "elsewhere")
        assert dataset.read_sample(0).exclusion is None

    def test_a_link_in_a_circle_is_missing_beside_its_neighbours(self, tmp_path: Path) -> None:
        path, disk = photos_on_a_disk(tmp_path, 3)
        (disk / "1.jpg").unlink()
        (disk / "1.jpg").symlink_to(disk / "1.jpg")
        assert PhotoDataset.open(path).read_sample(1).exclusion == "missing"

    def test_who_knows_that_a_folder_is_lost_can_say_so(self, tmp_path: Path) -> None:
        path, disk = photos_on_a_disk(tmp_path, 3)
        disk.rename(tmp_path / "away")
        assert PhotoDataset.open(path).read_sample(1, skip_missing=True).exclusion == "missing"

    def test_a_photo_in_a_folder_of_its_own(self, tmp_path: Path) -> None:
        """Its folder is there with a description of it, so the photo is lost."""
        names = []
        for row in range(3):
            folder = tmp_path / "photos" / str(row)
            folder.mkdir(parents=True)
            (folder / "about.json").touch()
            (folder / "photo.jpg").write_bytes(photo_bytes(row))
            names.append(str(folder / "photo.jpg"))
        dataset = PhotoDataset.open(save_names(tmp_path / "d", names))
        Path(names[1]).unlink()
        assert dataset.read_sample(1).exclusion == "missing"

    @pytest.mark.parametrize("name", ["", "a\0b", "x" * 300, "https://x.test/a.jpg", "."])
    def test_a_name_that_can_be_no_photo_is_missing(self, tmp_path: Path, name: str) -> None:
        """Even where no neighbour is there: no disk could help."""
        path = save_names(tmp_path / "d", [name, "0.jpg"])
        with pytest.raises(ImageError) as error:
            PhotoDataset.open(path).photo_bytes(0)
        assert error.value.kind == "missing"


class TestAFileThatCannotBeRead:
    def test_one_bad_sector_concerns_one_photo(self, tmp_path: Path) -> None:
        """A real EIO; the neighbours tell that the disk is there."""
        path, disk = photos_on_a_disk(tmp_path, 3)
        (disk / "1.jpg").unlink()
        (disk / "1.jpg").symlink_to(EIO_FILE)
        word, alone, sentence = condition(PhotoDataset.open(path), 1)
        assert (word, alone) == ("disk", True)
        assert f"Input/output error: {disk / '1.jpg'}; check its disk" in sentence

    def test_a_disk_that_reads_nothing_concerns_all(self, tmp_path: Path) -> None:
        path, disk = photos_on_a_disk(tmp_path, 3)
        disk.rename(tmp_path / "away")
        disk.mkdir()
        for row in range(3):
            (disk / f"{row}.jpg").symlink_to(EIO_FILE)
        assert condition(PhotoDataset.open(path), 1)[:2] == ("disk", False)

    def test_a_read_that_fails_now_and_then_is_tried_again(self, tmp_path: Path) -> None:
        path, disk = photos_on_a_disk(tmp_path, 3)
        dataset = PhotoDataset.open(path)
        photo = (disk / "1.jpg").read_bytes()
        (disk / "1.jpg").unlink()
        (disk / "1.jpg").symlink_to(EIO_FILE)

        def mend() -> None:
            time.sleep(0.15)
            (disk / "new").write_bytes(photo)
            (disk / "new").rename(disk / "1.jpg")

        mending = threading.Thread(target=mend)
        mending.start()
        assert dataset.photo_bytes(1) == photo
        mending.join()

    def test_too_many_open_files_concern_no_photo(self, tmp_path: Path) -> None:
        path, _ = photos_on_a_disk(tmp_path, 3)
        dataset = PhotoDataset.open(path)
        with no_more_open_files():
            word, alone, sentence = condition(dataset, 1)
        assert (word, alone) == ("open_files", False)
        assert "Too many open files" in sentence
        assert "raise the limit (ulimit -n)" in sentence
        assert dataset.read_sample(1).exclusion is None

    def test_a_photo_that_this_user_may_not_read(self) -> None:
        """Alone, since its neighbours can be read; a folder that is closed concerns all."""
        with without_rights() as folder:
            path, disk = photos_on_a_disk(folder, 3)
            dataset = PhotoDataset.open(path)
            (disk / "1.jpg").chmod(0)
            word, alone, sentence = condition(dataset, 1)
            assert (word, alone) == ("permission", True)
            assert f"Permission denied: {disk / '1.jpg'}; let this user read it" in sentence
            disk.chmod(0)
            assert condition(dataset, 0)[:2] == ("permission", False)
            disk.chmod(0o755)
            (disk / "1.jpg").chmod(0o644)
            assert dataset.read_sample(1).exclusion is None


@pytest.mark.parametrize("format", ["PNG", "WEBP", "AVIF"])
def test_a_lack_of_memory_says_nothing_of_a_photo(tmp_path: Path, format: str) -> None:
    """A real limit; the same photo is fine without it, and a broken one is broken.

    The decoders of WebP and AVIF report a lack of memory in the words for broken bytes.
    """
    photo = tmp_path / "large"
    Image.new("RGB", (4_000, 4_000), "teal").save(photo, format)
    program = f"""
import resource
from pathlib import Path
from geostore.errors import ImageError, MachineError
from geostore.imaging import decode
data = Path({str(photo)!r}).read_bytes()
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 20_000_000, resource.RLIM_INFINITY))
try:
    decode(data)
except MachineError as error:
    print(error.condition, error.alone, error)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(decode(data).size)
try:
    decode(data[: len(data) // 2])
except ImageError as error:
    print(error.kind)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stdout.splitlines() == [
        "memory True a photo cannot be decoded now: there is not enough memory; free memory or "
        "lower --concurrency, then run the same command again; nothing was recorded of the photo",
        "(4000, 4000)",
        "undecodable",
    ]


class TestTheDatasetItself:
    @pytest.mark.parametrize("kind", ["arrow", "parquet"])
    def test_a_truncated_shard_stops_with_a_sentence(self, tmp_path: Path, kind: str) -> None:
        from datasets import load_from_disk

        path = save_dataset(tmp_path / "d", [photo_bytes(row) for row in range(4)])
        shard = next(path.glob("*.arrow"))
        if kind == "parquet":
            shard = tmp_path / "rows.parquet"
            load_from_disk(str(path)).to_parquet(str(shard))
            path = shard
        os.truncate(shard, shard.stat().st_size // 2)
        with pytest.raises(DatasetError, match=str(path)):
            PhotoDataset.open(path)

    def test_a_parquet_file_that_goes_away_says_nothing_of_its_photos(self, tmp_path: Path) -> None:
        import datasets

        saved = save_dataset(tmp_path / "d", [photo_bytes(row) for row in range(6)])
        rows = datasets.load_from_disk(str(saved))
        folder = tmp_path / "shards"
        folder.mkdir()
        for shard in range(2):
            rows.shard(2, shard, contiguous=True).to_parquet(str(folder / f"{shard}.parquet"))
        dataset = PhotoDataset.open(folder)
        assert dataset.read_sample(0).exclusion is None
        folder.rename(tmp_path / "away")
        word, alone, sentence = condition(dataset, 4)
        assert (word, alone) == ("folder_gone", False)
        assert f"{folder / '1.parquet'} cannot be read: " in sentence
        assert "mount its disk or put it back" in sentence
        (tmp_path / "away").rename(folder)
        assert dataset.read_sample(4).exclusion is None

    def test_a_parquet_file_under_too_many_open_files(self, tmp_path: Path) -> None:
        import datasets

        saved = save_dataset(tmp_path / "d", [photo_bytes(row) for row in range(3)])
        datasets.load_from_disk(str(saved)).to_parquet(str(tmp_path / "a.parquet"))
        dataset = PhotoDataset.open(tmp_path / "a.parquet")
        with no_more_open_files():
            assert condition(dataset, 1)[:2] == ("open_files", False)
        assert dataset.read_sample(1).exclusion is None

    def test_a_folder_that_is_closed_to_this_user_is_one_sentence(self) -> None:
        with without_rights() as open_to_all:
            folder = open_to_all / "closed"
            path, _ = photos_on_a_disk(folder, 3)
            folder.chmod(0)
            try:
                with pytest.raises(DatasetError, match="cannot be read: Permission denied"):
                    PhotoDataset.open(path)
            finally:
                folder.chmod(0o755)
            assert PhotoDataset.open(path).read_sample(1).exclusion is None

    def test_a_path_that_no_disk_can_have_is_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="cannot be read: File name too long"):
            PhotoDataset.open(tmp_path / ("x" * 300))
