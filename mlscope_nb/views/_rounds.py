"""Rounds of training on disk, beside the labels that they learned from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from mlscope_nb._files import write_text


def write_rounds(path: Path, history: pd.DataFrame, fingerprint: str) -> None:
    """Write the rounds as JSON, with the fingerprint of the cells.

    Raises
    ------
    OSError
        The disk refuses.
    """
    rows = json.loads(history.to_json(orient="records"))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"fingerprint": fingerprint, "rounds": rows}) + "\n")


def read_rounds(path: Path, fingerprint: str) -> list[dict[str, Any]]:
    """Return the rounds in a file, none where they are of other cells.

    Raises
    ------
    ValueError, KeyError, TypeError, OSError
        The file is damaged or cannot be read.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    if found["fingerprint"] != fingerprint:
        return []
    rows = pd.DataFrame(found["rounds"]).astype({"number": int, "n_labelled": int})
    return [{str(k): v for k, v in row.items()} for row in rows.to_dict(orient="records")]
