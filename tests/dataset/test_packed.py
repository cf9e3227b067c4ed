"""Files of Arrow and Parquet: one that was damaged anywhere is read, or refused with an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from geostore.dataset.packed import count_packed_rows, packed_batches

ROWS = [
    {"trace": f"t{n}", "messages": ["{}", "[]"] * n, "images": [{"bytes": b"abc", "path": None}]}
    for n in range(5)
]

READ = """
import sys
from pathlib import Path
from geostore.dataset.packed import packed_batches

path, data = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes()
for place in range(len(data)):
    path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
    try:
        for batch in packed_batches(str(path)):
            batch.to_pylist()
    except (ValueError, OSError):
        pass
print("read", len(data))
"""


def write(path: Path) -> None:
    table = pyarrow.Table.from_pylist(ROWS)
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        with pyarrow.ipc.new_stream(str(path), table.schema) as stream:
            stream.write_table(table)


@pytest.mark.parametrize("suffix", [".arrow", ".parquet"])
def test_rows_are_read_and_counted(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    write(path)
    read = [row for batch in packed_batches(str(path)) for row in batch.to_pylist()]
    assert read == ROWS
    assert count_packed_rows(str(path)) == 5
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises((ValueError, OSError)):
        list(packed_batches(str(path)))


@pytest.mark.parametrize("suffix", [".arrow", ".parquet"])
def test_no_damaged_byte_ends_the_process(tmp_path: Path, suffix: str) -> None:
    """In a process of its own, since an offset that points nowhere would kill this one."""
    path = tmp_path / f"rows{suffix}"
    write(path)
    damaged = tmp_path / f"damaged{suffix}"
    child = subprocess.run(
        [sys.executable, "-c", READ, str(damaged), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (child.returncode, child.stdout) == (0, f"read {path.stat().st_size}\n"), child.stderr
