"""Count what is paid twice when a run is killed in its middle and started again.

A run of the command line's own code plays the conversations of `loopback` with 16 in flight, and
gets SIGKILL when the server has received two fifths of the requests that a whole run takes. It is
started again and plays to the end. What the server received beyond those of a run that was never
killed was paid twice; that can be no less than the responses that were under way to the dead, which
are at most as many as were in flight. A script that keeps a conversation in memory until it is
done pays again for all of it: two or three requests for each in flight.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import HEADER, Figure
from loopback import MODEL, loopback_server, take_received
from photos import photo, save_photos

PHOTOS = 64
IN_FLIGHT = 16
LATENCY = 0.2
SHARE = 0.4


def figures(*, rounds: int = 3, photos: int = PHOTOS) -> list[Figure]:
    """Requests paid twice, the most of so many kills."""
    with tempfile.TemporaryDirectory() as folder, loopback_server(latency=LATENCY) as url:
        path = Path(folder)
        save_photos(path / "photos", [photo(number) for number in range(photos)])
        whole = _finish(_start(url, path, "whole.db"), url, 0)
        again = []
        for number in range(rounds):
            running = _start(url, path, f"killed-{number}.db")
            seen = _wait_for(running, url, round(SHARE * whole))
            running.kill()
            running.wait()
            seen = _finish(_start(url, path, f"killed-{number}.db"), url, seen)
            again.append(seen - whole)
    return [
        Figure(
            f"requests paid twice after a kill at {SHARE:.0%}",
            max(again),
            goal=IN_FLIGHT,
            note=f"of {whole}, {IN_FLIGHT} in flight; {rounds} kills: {again}",
        )
    ]


def _start(url: str, folder: Path, store: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "geostore", "generate", "--quiet", "--num-samples", "0"]
    command += ["--base-url", url, "--model", MODEL, "--concurrency", str(IN_FLIGHT)]
    command += ["--dataset-path", str(folder / "photos"), "--store", str(folder / store)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def _wait_for(running: subprocess.Popen[bytes], url: str, requests: int) -> int:
    """Wait until the server has received so many; how many it has."""
    seen = 0
    while seen < requests:
        if running.poll() is not None:
            raise RuntimeError("the run ended before it could be killed")
        time.sleep(0.02)
        seen += take_received(url).requests
    return seen


def _finish(running: subprocess.Popen[bytes], url: str, seen: int) -> int:
    """Wait for the end of a run; how many requests the server has received in all."""
    if running.wait() != 0:
        raise RuntimeError("a run failed")
    return seen + take_received(url).requests


def main() -> None:
    parser = argparse.ArgumentParser(description="Requests paid twice after a kill.")
    parser.add_argument("--rounds", type=int, default=3, help="kills")
    parser.add_argument("--photos", type=int, default=PHOTOS, help="traces per run")
    options = parser.parse_args()
    print(HEADER)
    for figure in figures(rounds=options.rounds, photos=options.photos):
        print(figure.line())


if __name__ == "__main__":
    main()
