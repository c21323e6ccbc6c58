"""What the command `python -m mlscope_nb report DATA` takes, as options of `ms.risks.report_folder`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe what the command takes; columns are separated by commas."""
    parser.add_argument("data", type=Path, help="a folder or file, as in ms.io.recognise")
    parser.add_argument("--out", type=Path, help="the folder for results (default: report_ and the name of the data)")
    for name, meaning in (
        ("label", "the column with what is to be told apart"),
        ("unit", "columns that name what was treated by itself: plate,well"),
        ("batch", "columns that name what was handled together: plate"),
        ("control", "the untreated: column=value, column=value,value, or a column of true and false"),
        ("treatment", "the column with what was done"),
        ("pattern", "how files are named, for example {plate}_{well}_{channel}.tif"),
        ("channels", "names of the channels in order, or name=what the files call it: DNA=w1,actin=w2"),
        ("layout", "the table that describes the files"),
        ("masks", "a folder of label masks"),
        ("projection", "max, mean, sum or middle, for stacks"),
        ("frame", "which frame of movies: a number, or all"),
        ("nuclei", "the channel of the nuclei"),
        ("title", "on top of the sheet"),
    ):
        parser.add_argument(f"--{name}", help=meaning)
    parser.add_argument("--pixel-size", type=float, help="micrometres per pixel")
    parser.add_argument("--size", type=int, default=64, help="width of a crop in pixels (default: 64)")
    parser.add_argument("--drop", default="cut", help="flags of quality whose cells are left out (default: cut)")
    parser.add_argument("--seed", type=int, default=0)


def options_of(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `report_folder`.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> add_arguments(parser)
    >>> found = options_of(parser.parse_args(["plates", "--unit", "plate,well", "--control", "drug=DMSO"]))
    >>> found["unit"], found["control"], found["drop"]
    (['plate', 'well'], {'drug': 'DMSO'}, ['cut'])
    """
    texts = ("label", "treatment", "pattern", "masks", "projection", "nuclei", "title")
    options: dict[str, Any] = {name: getattr(chosen, name) or None for name in texts}
    options |= {name: _one_or_list(getattr(chosen, name)) for name in ("unit", "batch")}
    frame = chosen.frame or None
    options |= {
        "control": _control(chosen.control),
        "channels": _channels(chosen.channels),
        "metadata": chosen.layout or None,
        "frame": int(frame) if frame and frame.isdigit() else frame,
        "pixel_size_um": chosen.pixel_size,
        "size": chosen.size,
        "drop": _list(chosen.drop),
        "seed": chosen.seed,
    }
    # What was not given is left to the reader, which may not even know it.
    needed = ("size", "drop", "seed")
    return {name: value for name, value in options.items() if value is not None or name in needed}


def _list(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _one_or_list(text: str | None) -> str | list[str] | None:
    names = _list(text)
    return names if len(names) > 1 else names[0] if names else None


def _control(text: str | None) -> dict[str, Any] | str | None:
    if not text:
        return None
    column, equals, value = text.partition("=")
    return {column.strip(): _one_or_list(value)} if equals else column.strip()


def _channels(text: str | None) -> list[str] | dict[str, str] | None:
    names = _list(text)
    if any("=" in name for name in names):
        pairs = [name.partition("=") for name in names]
        return {name.strip(): own.strip() for name, _, own in pairs}
    return names or None
