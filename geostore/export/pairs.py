"""Preferences out of several rollouts of one photo: the best and the worst of them, or labels.

``dpo`` takes of all rollouts with the same prompt (one recipe, one photo) the one with
the highest score and the one with the lowest. ``kto`` takes every rollout and says of
each whether its score is accepted. An answer that could not be read scores 0 unless the
reward gives it a score. Traces of one photo stand side by side in the order of an export,
so that memory holds at most two of each prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from geostore.conversation.again import why_not
from geostore.export.left_out import UnwrittenTraces
from geostore.export.options import ExportOptions
from geostore.export.record import own_score, reward_of
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import Dialogue, Reply, Step, dialogues
from geostore.records import ACCEPTED_SCORE, ImportedRecipe, StoredTrace

UNPAIRED = "unpaired"
"""The reason of traces that are neither the best nor the worst of their photo; no name is kept."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rollouts of one photo under one recipe; their system prompt and first question agree."""

    chosen: Dialogue
    """The better one."""
    rejected: Dialogue
    """The worse one."""

    @property
    def shared(self) -> tuple[Step, ...] | None:
        """The steps before the first replies in which the rollouts differ; None where the first
        steps that differ are no replies, as where one rollout goes on after the other ended."""
        for number, (step, other) in enumerate(
            zip(self.chosen.steps, self.rejected.steps, strict=False)
        ):
            if isinstance(step, Reply) and isinstance(other, Reply):
                if step.text != other.text:
                    return self.chosen.steps[:number]
            elif _read(step) != _read(other):
                return None
        return None

    @property
    def until_apart(self) -> tuple[Dialogue, Dialogue]:
        """Both rollouts up to the first replies in which they differ; whole where `shared` is
        None."""
        shared = self.shared
        if shared is None:
            return self.chosen, self.rejected
        return self.chosen.until(len(shared) + 1), self.rejected.until(len(shared) + 1)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A rollout with its label."""

    dialogue: Dialogue
    """The rollout."""
    accepted: bool
    """Whether its score counts as accepted."""


def pairs(traces: ExportStream, *, reasoning_field: bool = False) -> Iterator[Pair]:
    """The pairs of a stream whose traces `choose` chose as ``dpo``."""
    better: Dialogue | None = None
    for dialogue in dialogues(traces, reasoning_field=reasoning_field):
        if better is None:
            better = dialogue
        elif _asked(better) == _asked(dialogue):
            yield Pair(better, dialogue)
            better = None
        else:  # the other one of its pair could not be written
            traces.take_back(better.exported, reason=UNPAIRED)
            better = dialogue
    if better is not None:
        traces.take_back(better.exported, reason=UNPAIRED)


def labelled(traces: ExportStream, *, reasoning_field: bool = False) -> Iterator[Labelled]:
    """The rollouts of a stream whose traces `choose` chose as ``kto``, with their labels."""
    for dialogue in dialogues(traces, reasoning_field=reasoning_field):
        yield Labelled(dialogue, score_of(dialogue.exported.trace) >= ACCEPTED_SCORE)


def choose(
    traces: Iterable[StoredTrace], options: ExportOptions, unwritten: UnwrittenTraces
) -> Iterator[StoredTrace]:
    """The traces that are written: for ``dpo`` the better and the worse one of each pair in turns.

    unwritten: counts the others. Raises ExportError for a trace that has no reward yet.
    """
    if options.pairs_as == "kto":
        for trace in traces:
            score_of(trace)  # without a reward nobody knows its label
            yield trace
        return
    for _, rollouts in groupby(traces, key=_photo_and_recipe):
        yield from _best_and_worst(rollouts, options.min_gap, unwritten)


def score_of(trace: StoredTrace) -> float:
    """Its score; 0 where it has none, as without coordinates unless the reward scores that.

    Raises ExportError where the trace has no reward.
    """
    reward = reward_of(trace)
    return own_score(trace) if reward is None else reward.score or 0.0


def _best_and_worst(
    rollouts: Iterable[StoredTrace], min_gap: float, unwritten: UnwrittenTraces
) -> Iterator[StoredTrace]:
    """The best and the worst rollout of each prompt, if their scores are far enough apart."""
    by_prompt: dict[tuple[object, ...], tuple[StoredTrace, StoredTrace]] = {}
    others = 0
    for trace in rollouts:
        if isinstance(trace.recipe, ImportedRecipe) and why_not(trace) is not None:
            yield trace  # the stream leaves it out, and says that its images are not known
            continue
        others += 1
        prompt = _prompt(trace)
        best, worst = by_prompt.get(prompt, (trace, trace))
        by_prompt[prompt] = max(best, trace, key=_goodness), min(worst, trace, key=_badness)
    for best, worst in by_prompt.values():
        if score_of(best) - score_of(worst) >= min_gap:
            others -= 2
            yield best
            yield worst
    if others:  # a reason that holds for no trace is none
        unwritten.counts[UNPAIRED] += others


def _photo_and_recipe(trace: StoredTrace) -> tuple[object, ...]:
    return (trace.dataset.path, trace.sample.sample_index, trace.key.recipe_sha256)


def _prompt(trace: StoredTrace) -> tuple[object, ...]:
    """What tells the first questions of rollouts apart: one that is the last says so."""
    first = trace.turns[0]
    return (first.turn_limit is not None and first.turn_limit <= 1, first.messages)


def _goodness(trace: StoredTrace) -> tuple[float, int, int]:
    """Of equal scores the trace with fewer tokens is the better one, then the earlier rollout."""
    return (score_of(trace), -_tokens(trace), -trace.key.rollout)


def _badness(trace: StoredTrace) -> tuple[float, int, int]:
    return (score_of(trace), _tokens(trace), trace.key.rollout)


def _tokens(trace: StoredTrace) -> int:
    """Of its last request and response, estimated where the server did not count them."""
    last = trace.turns[-1]
    sent = last.prompt_tokens or last.estimated_prompt_tokens or 0
    return sent + (last.completion_tokens or last.estimated_completion_tokens or 0)


def _asked(dialogue: Dialogue) -> tuple[object, ...]:
    """What two rollouts have to share to be a pair: photo, recipe, and the question word for
    word."""
    question = _read(dialogue.steps[0])
    return (_photo_and_recipe(dialogue.exported.trace), dialogue.system, question)


def _read(step: Step) -> tuple[str, ...]:
    """The texts of a step and the hashes of its images."""
    if isinstance(step, Reply):
        return (step.text,)
    return tuple(part if isinstance(part, str) else part.facts.sha256 for part in step.parts)
