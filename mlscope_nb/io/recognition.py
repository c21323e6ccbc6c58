"""What a file or folder was recognised as: shown, corrected, and turned into the line of code that reads it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from mlscope_nb._words import count, some

if TYPE_CHECKING:
    from mlscope_nb.cells import Cells
    from mlscope_nb.fields import Fields

Kind = Literal[
    "images", "crops", "omezarr", "microscope", "cellprofiler", "profiles", "h5ad", "npz", "medmnist", "single cells",
    "mlscope", "nothing",
]  # fmt: skip
SHOWN = (
    "fields", "cells", "scenes", "kinds", "sizes", "dtypes", "axes", "channels", "pixel_size_um", "labels", "version",
    "layout",
)  # fmt: skip
UNUSED = "not used as a layout."
DESIGN = ("label", "unit", "batch", "control", "treatment")
STYLE = "font-family:var(--jp-ui-font-family,sans-serif);font-size:14px;border-left:4px solid #0072b2;padding:4px 12px"
CELL = "text-align:left;vertical-align:top;padding:1px 12px 1px 0"


@dataclass(frozen=True)
class Recognition:
    """What `recognise` found, with a guess of how to read it; every guess can be changed.

    Parameters
    ----------
    path : Path
        The file or folder that was looked at.
    kind : str
        images, crops, omezarr, microscope (CZI, ND2, LIF), cellprofiler, profiles, h5ad, npz, medmnist, single cells,
        mlscope or nothing.
    what : str
        The same in a sentence.
    reader : str or None
        The function of ``ms.io`` that reads it ("load" for ``ms.load``).
    gives : {"Fields", "Cells"} or None
    source : str or list of str
        What is handed to the reader first.
    options : dict
        Its other arguments, as guessed or as changed with `change`.
    choices : dict
        For each option that makes sense here the values there are to choose from; empty where any will do.
    needs : dict
        Options that have to be given before anything can be read, each with the reason; ``undecided`` are those that
        still are not.
    files : DataFrame
        One row a file: ``file``, whether it is ``recognised``, and the parts of its name (plate, well, site, channel,
        z, time).
    facts : dict
        What the files say of themselves: sizes, dtypes, axes, channels, pixel_size_um, number of fields or cells.
    columns : tuple of str
        The columns that ``obs`` will have; unit, batch, label … are among these.
    layout : Path or None
        The table that describes the files; ``facts["layout"]`` says how it fits.
    problems : tuple of dict
        Files that are left out and why, as in ``Fields.problems``.
    also : tuple of Recognition
        What else lies there.
    """

    path: Path
    kind: Kind
    what: str
    reader: str | None = None
    gives: Literal["Fields", "Cells"] | None = None
    source: str | list[str] = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    files: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"file": [], "recognised": []}))
    facts: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    layout: Path | None = None
    problems: tuple[dict[str, str], ...] = ()
    also: tuple[Recognition, ...] = ()

    def values(self, part: str) -> list[str]:
        """Return what the names of the files hold of a part ("plate", "well", "channel", …), in order."""
        from mlscope_nb.io.listing import natural

        if part not in self.files:
            return []
        return sorted(map(str, self.files[part].dropna().unique()), key=natural)

    def change(self, **options: Any) -> Recognition:
        """Return the same with other options; None takes one away. Another pattern or other masks are looked at anew.

        Raises
        ------
        ValueError
            There is no such option here, or no such value.
        """
        unknown = set(options) - set(self.choices) - set(DESIGN)
        if unknown:
            raise ValueError(f"No option {some(sorted(unknown))} here. Options: {some([*self.choices, *DESIGN], 20)}.")
        for name, value in options.items():
            allowed = self.choices.get(name, ())
            fixed = name in ("projection",)
            if fixed and value is not None and value not in allowed:
                raise ValueError(f"{name} is {value!r}, expected one of {some(allowed)}.")
        merged = {k: v for k, v in {**self.options, **options}.items() if v is not None}
        if "pattern" in options:
            from mlscope_nb.io.recognising import recognise

            kept = {k: v for k, v in options.items() if k != "pattern"}
            return recognise(self.path, pattern=options["pattern"] or False).change(**kept)
        return replace(self, options=merged)

    @property
    def undecided(self) -> dict[str, str]:
        """What has to be chosen before anything can be read, each with the reason."""
        return {k: v for k, v in self.needs.items() if k not in self.options}

    @property
    def code(self) -> str:
        """The line of code that reads it without widgets."""
        if self.reader is None:
            return "# nothing here that mlscope reads"
        variable = "fields" if self.gives == "Fields" else "cells"
        function = "ms.load" if self.reader == "load" else f"ms.io.{self.reader}"
        arguments = [repr(self.source), *(f"{k}={v!r}" for k, v in self.options.items())]
        arguments += [f"{k}=...,  # {reason}" for k, reason in self.undecided.items()]
        line = f"{variable} = {function}({', '.join(arguments)})"
        if len(line) <= 80 and not self.undecided:
            return line
        rows = "".join(f"    {a}\n" if "=...," in a else f"    {a},\n" for a in arguments)
        return f"{variable} = {function}(\n{rows})"

    def read(self, **more: Any) -> Fields | Cells:
        """Read it with the options as they are.

        Raises
        ------
        ValueError
            There is nothing to read, or something has to be chosen first; else what the reader raises.
        KeyError
            There is no such column; where a table of the folder was not used, why not.
        """
        options = {**self.options, **more}
        if self.reader is None:
            raise ValueError(f"'{self.path}': {self.what}")
        named = "; ".join(f"{k}=…: {reason}" for k, reason in self.undecided.items() if k not in more)
        if named:
            raise ValueError(f"Choose first, with .change(…): {named}.")
        module = importlib.import_module("mlscope_nb.cells" if self.reader == "load" else "mlscope_nb.io")
        try:
            result: Fields | Cells = getattr(module, self.reader)(self.source, **options)
        except KeyError as error:
            # A column is missing: perhaps it stands in a table that does not fit the files.
            unused = [f"{Path(p['file']).name} was {p['problem']}" for p in self.problems if UNUSED in p["problem"]]
            if not unused:
                raise
            raise KeyError(" ".join([str(error.args[0]), *unused])) from error
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values, the table of files as a list of rows."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain |= {"path": str(self.path), "layout": None if self.layout is None else str(self.layout)}
        plain |= {k: dict(plain[k]) for k in ("options", "choices", "needs", "facts")}
        plain |= {"files": self.files.to_dict("records"), "also": [a.to_dict() for a in self.also]}
        return {**plain, "problems": list(self.problems), "columns": list(self.columns), "code": self.code}

    def summary(self) -> dict[str, str]:
        """Return what there is to say in a few words, line by line."""
        lines = {"what": self.what}
        if len(self.files):
            known = int(self.files["recognised"].sum())
            lines["files"] = f"{count(len(self.files), 'file')}, {known:,} recognised"
        if "pattern" in self.options:
            lines["pattern"] = str(self.facts.get("pattern", self.options["pattern"]))
        for part in ("plate", "well", "site", "channel", "z", "time"):
            values = self.values(part)
            if values:
                lines[f"{part}s" if part not in ("z",) else "planes (z)"] = f"{len(values):,}: {some(values, 6)}"
        lines |= {k.replace("_", " "): _said(self.facts[k]) for k in SHOWN if self.facts.get(k)}
        lines |= {f"choose {k}": v for k, v in self.undecided.items()}
        if self.problems:
            first = "; ".join(f"{Path(p['file']).name}: {p['problem']}" for p in self.problems[:5])
            rest = f"; and {len(self.problems) - 5:,} more" if len(self.problems) > 5 else ""
            lines["problems"] = first + rest
        if self.also:
            lines["also here"] = "; ".join(a.what for a in self.also)
        return lines

    def __str__(self) -> str:
        lines = [f"'{self.path}'", *(f"  {k}: {v}" for k, v in self.summary().items())]
        return "\n".join([*lines, "  read it with:", *(f"    {row}" for row in self.code.splitlines())])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th style="{CELL}">{escape(k)}</th><td style="{CELL}">{escape(v)}</td></tr>'
            for k, v in self.summary().items()
        )
        code = f'<pre style="margin:4px 0">{escape(self.code)}</pre>'
        return f'<div style="{STYLE}"><b>{escape(str(self.path))}</b><table>{rows}</table>{code}</div>'


def needs_of(sizes: Mapping[str, int]) -> dict[str, str]:
    """Say what has to be chosen where each image has these axes: a projection of planes, a frame of a movie.

    Examples
    --------
    >>> needs_of({"Z": 12, "Y": 64, "X": 64})
    {'projection': "12 planes in each image: 'max', 'mean', 'sum' or 'middle'"}
    """
    needs = {}
    if sizes.get("Z", 1) > 1:
        needs["projection"] = f"{sizes['Z']} planes in each image: 'max', 'mean', 'sum' or 'middle'"
    if sizes.get("T", 1) > 1:
        needs["frame"] = f"{sizes['T']} frames in each image: 0 … {sizes['T'] - 1}, or 'all'"
    return needs


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {v}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value[:8])) + (f" and {len(value) - 8:,} more" if len(value) > 8 else "")
    return f"{value:g}" if isinstance(value, float) else str(value)
