"""Loads exports with the trainers' own loaders, and compares what they train on with the traces.

``make test-formats`` runs it. Each trainer has an environment of its own, about 2 GB and
some minutes the first time, and tiny students that `make_student` writes in it. An export
of a store with every kind of trace (`tests.training_store`) is loaded as the trainer's
training loads it. Every turn's words and calls have to be under loss and nothing else,
and each placeholder needs its image. Then the export is broken in every way of a table, and
the same check has to fail each time.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from geostore.export import export
from geostore.store import Store
from tests.formats.check import differences, length_told, sizes_told
from tests.formats.environment import Environment, InstallFailed
from tests.formats.trainers import TRAINERS, Loader, Trainer
from tests.formats.wanted import Row, wanted_rows
from tests.training_store import fill_pairs_store, fill_training_store


class LoaderFailed(Exception):
    """The trainer's program ended without writing what it saw."""


class Trial:
    """One trainer, with the stores that are exported and a folder for what is written."""

    def __init__(
        self, trainer: Trainer, environment: Environment, stores: Mapping[str, Path]
    ) -> None:
        self._trainer, self._environment, self._stores = trainer, environment, stores
        # A folder of its own, so that two processes can try the same trainer.
        self._work = Path(tempfile.mkdtemp(prefix="trial-", dir=environment.folder))

    def run(self) -> tuple[dict[str, str], list[str]]:
        """Try every loader; the versions of what ran, and what is wrong.

        What was written is left, and named, where something is.
        """
        versions, wrong = self._run()
        if wrong:
            print(f"files: {self._work}", file=sys.stderr)
        else:
            shutil.rmtree(self._work)
        return versions, wrong

    def _run(self) -> tuple[dict[str, str], list[str]]:
        whole = self._environment.students()
        versions: dict[str, str] = {}
        wrong: list[str] = []
        for loader in self._trainer.loaders:
            students = {
                name: self._reduced(whole[name], loader.seen_pixels)
                if loader.seen_pixels
                else whole[name]
                for name in loader.students
            }
            out = self._export(loader, students[loader.students[0]])
            store = self._stores[loader.store]
            wanted = loader.wanted(wanted_rows(store, loader.options.mask_turns))
            for number, student in enumerate(loader.students):
                broken = self._broken(loader, out) if number == 0 else {}
                exports = {"": out, **broken}
                seen, versions = self._load(loader, students[student], list(exports.values()))
                wrong += self._judged(
                    loader, student, dict(zip(exports, seen, strict=True)), wanted
                )
                if number == 0 and loader.images and loader.has_lengths and seen[0].get("rows"):
                    told = length_told(
                        (out / "README.md").read_text(), seen[0]["rows"], exact=loader.exact
                    )
                    wrong += [f"{loader.name}, {student}: {fault}" for fault in told]
            for name, more in loader.wrong.items():
                seen, _ = self._load(loader, students[loader.students[0]], [out], more)
                if not _faults(seen[0], wanted, loader):
                    wrong.append(f"{loader.name}: the check holds under {name}")
        return versions, wrong

    def _judged(
        self, loader: Loader, student: str, seen: dict[str, Any], wanted: Sequence[Row]
    ) -> list[str]:
        faults = {name: _faults(result, wanted, loader) for name, result in seen.items()}
        self._folder(f"{loader.name}-{student}.json").write_text(json.dumps(faults, indent=1))
        whole = faults.pop("")
        blind = [name for name, found in faults.items() if not found]
        print(
            f"{self._trainer.name:14}{loader.name:27}{student:28}"
            f"{len(wanted)} rows, {len(whole)} faults; "
            f"{len(faults) - len(blind)} of {len(faults)} broken exports found out",
            flush=True,
        )
        return [
            *(f"{loader.name}, {student}: {fault}" for fault in whole),
            *(f"{loader.name}: the check holds with {name}" for name in blind),
        ]

    def _export(self, loader: Loader, student: Path) -> Path:
        """Export for a student, so that the length to set is the one of its own tokens."""
        out = self._folder(loader.name)
        options = replace(
            loader.options,
            student="qwen3-vl" if "Qwen3" in student.name else "qwen2.5-vl",
            tokenizer=str(student / "tokenizer.json"),
        )
        with Store.open(self._stores[loader.store]) as store:
            export(store, out, options=options)
        return out

    def _folder(self, name: str) -> Path:
        """A folder to write into; verl's settings take no path with a comma in it."""
        return self._work / re.sub(r"[^\w.]+", "-", name)

    def _reduced(self, student: Path, pixels: int) -> Path:
        """A student whose processor reduces images to an area, as an export's README says."""
        reduced = self._folder(f"{student.name}-{pixels}")
        shutil.copytree(student, reduced, dirs_exist_ok=True)
        file = reduced / "processor_config.json"
        settings = json.loads(file.read_text())
        settings["image_processor"]["size"]["longest_edge"] = pixels
        file.write_text(json.dumps(settings))
        return reduced

    def _broken(self, loader: Loader, whole: Path) -> dict[str, Path]:
        folders = {}
        for name, break_export in loader.controls.items():
            folders[name] = self._folder(f"{loader.name}-{name}")
            shutil.copytree(whole, folders[name])
            break_export(folders[name])
        return folders

    def _load(
        self, loader: Loader, student: Path, exports: Sequence[Path], more: Sequence[str] = ()
    ) -> tuple[list[Any], dict[str, str]]:
        """What the trainer sees of each export, and the versions of what loaded them."""
        file, log = self._work / "seen.json", self._folder(f"{loader.name}.log")
        file.unlink(missing_ok=True)
        arguments: list[str | Path] = [
            *("-m", loader.module, "--out", file, "--student", student),
            *(f"--with={value}" for value in (*loader.more, *more)),
        ]
        with log.open("ab") as output:
            code = subprocess.run(
                self._environment.command("python", *arguments, *exports),
                cwd=self._work,
                env=self._environment.variables(loader.variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            ).returncode
        if not file.exists():
            last = log.read_text(errors="replace")[-2000:]
            raise LoaderFailed(f"{loader.module} ended with {code}: {last}")
        result = json.loads(file.read_text())
        return result["exports"], result["versions"]


def _faults(seen: dict[str, Any], wanted: Sequence[Row], loader: Loader) -> list[str]:
    if "error" in seen:
        return [f"the loader failed: {seen['error']}"]
    if loader.seen_pixels is not None:
        return sizes_told(seen["rows"])
    return differences(seen["rows"], wanted, exact=loader.exact, images=loader.images)


def main() -> int:
    """Try the trainers; 1 where one failed or could not be tried."""
    names = [trainer.name for trainer in TRAINERS]
    parser = argparse.ArgumentParser(prog="tests.formats", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="of the environments")
    parser.add_argument("--only", choices=names, help="only this trainer")
    parser.add_argument("--loader", default="", help="only its loaders whose name begins so")
    options = parser.parse_args()
    trainers = [
        replace(trainer, loaders=loaders)
        for trainer in TRAINERS
        if options.only in (None, trainer.name)
        if (loaders := tuple(o for o in trainer.loaders if o.name.startswith(options.loader)))
    ]
    with tempfile.TemporaryDirectory() as folder:
        stores = {name: Path(folder) / name / "geostore.db" for name in ("training", "pairs")}
        for store in stores.values():
            store.parent.mkdir()
        fill_training_store(stores["training"], stores["training"].with_name("photos"))
        fill_pairs_store(stores["pairs"], stores["pairs"].with_name("photos"))
        return try_trainers(trainers, options.folder.resolve(), stores)


def try_trainers(trainers: Sequence[Trainer], folder: Path, stores: Mapping[str, Path]) -> int:
    """Try these and say at the end what ran; 1 where one failed or could not be tried."""
    results = []
    code = 0
    for trainer in trainers:
        environment = Environment(
            folder,
            trainer.name,
            trainer.requirements,
            alone=trainer.alone,
            torchvision=trainer.torchvision,
            templates=trainer.templates,
        )
        try:
            environment.install()
            versions, wrong = Trial(trainer, environment, stores).run()
        except (InstallFailed, LoaderFailed, subprocess.CalledProcessError) as error:
            results.append(f"{trainer.name} did not run: {error}")
            code = 1
            continue
        ran = ", ".join(f"{name} {version}" for name, version in versions.items())
        results.append(f"{trainer.name} ran with {ran}: {len(wrong)} faults")
        for fault in wrong:
            print(f"FAULT: {trainer.name}: {fault}", file=sys.stderr)
            code = 1
    print("\n".join(results))
    return code


if __name__ == "__main__":
    sys.exit(main())
