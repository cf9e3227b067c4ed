"""What a reward gives an answer without coordinates stands in what an export writes."""

from __future__ import annotations

import json
from pathlib import Path

from geostore.export import ExportOptions, Filter, export
from geostore.rewards import make_spec, rescore
from geostore.store import Store
from tests.builders import StoreBuilder, fill, make_dataset


def test_files_and_labels_have_the_score_that_the_store_has(tmp_path: Path) -> None:
    """It has no coordinates all the same. Under a reward of the distance it is 0, as ever."""
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        fill(StoreBuilder(store, make_dataset(tmp_path / "photos")))
        words = make_spec("weighted", {"constant": "0.85", "parsed": "-0.8"}, name="words")
        rescore(store.db, words)
        for reward, score in (("words", 0.85), ("geoguessr", 0.0)):
            filters = Filter(reward=reward, where="answer_failure is not null")
            options = ExportOptions("jsonl", images="reference")
            result = export(store, tmp_path / reward, options=options, filters=filters)
            (line,) = (result.path / "traces.jsonl").read_text().splitlines()
            written = json.loads(line)
            assert written["reward_score"]["score"] == written["metadata"]["score"] == score
            assert written["metadata"]["parse_success"] is False
            assert written["metadata"]["distance_km"] == 20000.0
        options = ExportOptions("pairs", pairs_for="swift", pairs_as="kto")
        filters = Filter(reward="words")
        result = export(store, tmp_path / "kto", options=options, filters=filters)
        rows = [
            json.loads(line)
            for file in sorted(result.path.rglob("*.jsonl"))
            for line in file.read_text().splitlines()
        ]
        assert sum(row["label"] for row in rows) == 1
