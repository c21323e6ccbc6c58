"""What the notebooks use to teach: predict first, check, hints in two steps, checkpoints, progress.

Questions live in ``texts/<notebook>.toml``, so a notebook needs one short line for each. A teacher's own
questions go into a folder ``lessons`` beside the notebook. Answers are kept beside the notebook too, in
``mlscope_work/answers.jsonl``, one JSON object a line; delete that file to start again.
"""

from __future__ import annotations

from mlscope_nb.lessons.checkpoints import checkpoint
from mlscope_nb.lessons.checks import Check, check
from mlscope_nb.lessons.hints import Hint, hint
from mlscope_nb.lessons.predictions import Prediction, predict
from mlscope_nb.lessons.room import Room, collect
from mlscope_nb.lessons.standing import Progress, progress
from mlscope_nb.lessons.workplace import workplace

__all__ = [
    "Check",
    "Hint",
    "Prediction",
    "Progress",
    "Room",
    "check",
    "checkpoint",
    "collect",
    "hint",
    "predict",
    "progress",
    "workplace",
]
