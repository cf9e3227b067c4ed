"""Makes docs/images/report.png: the top of the demo's report, as a browser shows it.

Needs Chromium and a demo: make demo, then python scripts/report_picture.py [demo/report.html].
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

OUT = Path(__file__).parents[1] / "docs" / "images" / "report.png"
WIDTH, HEIGHT = 1100, 1650
COLOURS = 128  # of the picture, which keeps it small
MOST = 200_000  # bytes


def main() -> None:
    """Take the picture, and say what it weighs."""
    page = Path(sys.argv[1] if len(sys.argv) > 1 else "demo/report.html").resolve()
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        raise SystemExit("there is no chromium; install it, such as by: apt install chromium")
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                *("--disable-background-networking", "--disable-component-update"),
                *("--hide-scrollbars", f"--user-data-dir={folder}/profile"),
                *(f"--window-size={WIDTH},{HEIGHT}", "--virtual-time-budget=5000"),
                *(f"--screenshot={shot}", page.as_uri()),
            ],
            check=True,
            capture_output=True,
        )
        image = Image.open(shot).convert("RGB")
    data = io.BytesIO()
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(data, "PNG", optimize=True)
    if len(data.getvalue()) > MOST:
        raise SystemExit(f"the picture has {len(data.getvalue()):,} bytes, over {MOST:,}")
    OUT.write_bytes(data.getvalue())
    print(f"{OUT}: {image.width} x {image.height}, {len(data.getvalue()):,} bytes")


if __name__ == "__main__":
    main()
