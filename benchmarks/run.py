"""Run every benchmark, one after another, and print what each found beside its goal.

Each is a file of its own whose docstring says what it measures, how, and why it is fair; each can
be run by itself, with more rounds. All take about ten minutes on two cores. The exit code is 1
where a benchmark could not be run; a goal that was missed on a busy machine is only told.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Mapping

import after_a_kill
import answers
import audit
import export
import generate_cpu
import image_path
import import_files
import nothing_to_do
import places
import placing
import questions
import report
import rescore
import second_question
import startup
import store_size
import verify_rate
from figures import HEADER, Figure

from geostore.answers import has_answer, parse_answer

_HOSTILE_CHARACTERS = 100_000
_WORST = 8


def answer_figures() -> list[Figure]:
    """How fast answers are read, and whether hostile text can make it slow.

    The responses that take longest are timed again, and at twice the length. Time that grows in
    step with the text doubles, a reader that goes back over it takes four times as long; less
    than double means that only a part of the text is read.
    """
    single = answers.hostile_responses(_HOSTILE_CHARACTERS)
    double = answers.hostile_responses(2 * _HOSTILE_CHARACTERS)
    cases = [(read, name) for name in single for read in (parse_answer, has_answer)]
    cases.sort(key=lambda case: answers.best_seconds(case[0], single[case[1]], repeat=1))
    worst = [
        tuple(answers.best_seconds(read, text[name], repeat=5) for text in (single, double))
        for read, name in cases[-_WORST:]
    ]
    ordinary = answers.best_seconds(parse_answer, answers.ORDINARY, repeat=2_000)
    return [
        Figure(
            "hostile text: time at twice the length",
            max(long / short for short, long in worst),
            goal=3.0,
            note=f"the greatest of the {_WORST} slowest of {len(cases)} cases; 2 is in step",
        ),
        Figure(
            f"hostile text of {_HOSTILE_CHARACTERS:,} characters, the slowest",
            max(short for short, _ in worst) * 1e3,
            " ms",
        ),
        Figure(f"ordinary response of {len(answers.ORDINARY)} characters", ordinary * 1e3, " ms"),
    ]


BENCHMARKS: Mapping[str, tuple[str, Callable[[], list[Figure]]]] = {
    "startup": ("how soon the command line answers", startup.figures),
    "generate_cpu": ("what storing adds to a loop that stores nothing", generate_cpu.figures),
    "after_a_kill": ("what a kill costs", after_a_kill.figures),
    "nothing_to_do": ("how soon a run ends that finds all done", nothing_to_do.figures),
    "second_question": ("what a question costs beside its own time", second_question.figures),
    "image_path": ("what the image path adds to Pillow alone", image_path.figures),
    "store_size": ("how large a store is", store_size.figures),
    "verify_rate": ("how fast a store is proven", verify_rate.figures),
    "import_files": ("how fast trace files are imported", import_files.figures),
    "answers": ("how fast answers are read", answer_figures),
    "places": ("how fast points get their places", places.figures),
    "placing": ("how fast the traces of a store get their places", placing.figures),
    "audit": ("how fast a store is audited", audit.figures),
    "export": ("how fast traces are exported", export.figures),
    "questions": ("how soon questions are answered", questions.figures),
    "report": ("how long a report takes", report.figures),
    "rescore": ("how fast a reward is computed for 100,000 traces", rescore.figures),
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the benchmarks and print a report.")
    parser.add_argument("--only", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS))
    only = parser.parse_args().only
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}")
    failed = 0
    for name in [only] if only else BENCHMARKS:
        question, figures = BENCHMARKS[name]
        print(f"\n{name}: {question}\n{HEADER}", flush=True)
        began = time.monotonic()
        try:
            for figure in figures():
                print(figure.line())
        # Whatever is wrong with one benchmark, the others can still be run.
        except Exception:
            failed += 1
            traceback.print_exc()
        print(f"  ({time.monotonic() - began:.0f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
