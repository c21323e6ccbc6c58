"""A folder read with guidance: what was recognised, what to correct, and the line of code that does the same."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Self

import numpy as np
import traitlets

from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.fields import Fields
from mlscope_nb.io import recognise
from mlscope_nb.io.recognition import DESIGN, Recognition
from mlscope_nb.views._folderform import channel_rows, channels_of, form_of, value_of
from mlscope_nb.views._folderlook import (
    columns_of,
    facts_of,
    first_fields,
    legend_of,
    markup_of,
    pictures_of,
    plain_pictures,
    plates_of,
    problems_of,
)
from mlscope_nb.views._widget import View, script

REFUSALS = (ValueError, TypeError, KeyError, OSError, ImportError)


class FolderReader(View):
    """What `read_folder` returns: what lies in a folder, a form to correct it, the code, and what it reads."""

    _esm = script("common.js", "folder.js")
    _css = script("style.css", "folder.css")
    _data = traitlets.Dict().tag(sync=True)

    _found: Recognition
    _read: Fields | Cells | None
    _preview: Fields | None

    def __init__(self, found: Recognition) -> None:
        self._all = (found, *found.also)
        self._at, self._error = 0, ""
        self._mine: dict[str, Any] = {}
        self._take(found)
        super().__init__(_data=self._plain())

    @property
    def found(self) -> Recognition:
        """What was recognised, with the options as they are now."""
        return self._found

    @property
    def code(self) -> str:
        """The line of code that reads the same without widgets."""
        return self._found.code

    def change(self, **options: Any) -> Self:
        """Do what the form does: set options of the reader; None takes one away.

        Raises
        ------
        ValueError
            There is no such option here, or it cannot have this value.
        """
        if "pattern" in options:
            # Another pattern is another look at the folder: what was declared stays as far as it still makes sense.
            kept = {k: v for k, v in self._mine.items() if k not in ("pattern", "channels", *options)}
            self._found = self._found.change(pattern=options.pop("pattern"))
            for name, value in kept.items():
                if name not in DESIGN or _columns_in(value) <= set(self._found.columns):
                    self._found = self._found.change(**{name: value})
        self._take(self._found.change(**options) if options else self._found)
        self._mine |= options
        self._show()
        return self

    def choose(self, number: int) -> Self:
        """Turn to something else that lies there: 0 is what was recognised first, then `found.also`.

        Raises
        ------
        ValueError
            There is no such number.
        """
        if not 0 <= number < len(self._all):
            raise ValueError(f"number is {number}, expected 0 to {len(self._all) - 1}.")
        self._at, self._mine = number, {}
        self._take(self._all[number])
        self._show()
        return self

    def read(self) -> Fields | Cells:
        """Read the folder with the options as they are; once for the same options.

        Raises
        ------
        ValueError
            Something has to be chosen first; else what the reader raises.
        """
        if self._read is None:
            with warnings.catch_warnings():
                # What was left out stands in the view, whole; a warning names the first few.
                warnings.filterwarnings("ignore", ".*They were left out", UserWarning)
                self._read = self._found.read()
            self._show()
        return self._read

    def _take(self, found: Recognition) -> None:
        self._found, self._read, self._error = found, None, ""
        self._preview = first_fields(found)

    def _show(self) -> None:
        self._data = self._plain()

    def _on_change(self, content: dict[str, Any], buffers: list[Any]) -> None:
        name, text = str(content.get("name")), content.get("value")
        try:
            self.change(**self._asked(name, text))
        except REFUSALS as error:
            self._fail(error)

    def _asked(self, name: str, text: Any) -> dict[str, Any]:
        if name == "channels":
            return {name: channels_of(self._found, [str(t) for t in text])}
        if name in ("pattern", "template"):
            return {"pattern": value_of("pattern", text) or False}
        return {name: value_of(name, text)}

    def _on_choose(self, content: dict[str, Any], buffers: list[Any]) -> None:
        try:
            self.choose(int(content.get("number", 0)))
        except REFUSALS as error:
            self._fail(error)

    def _on_read(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._error = ""
        try:
            self.read()
        except REFUSALS as error:
            self._fail(error)
        self._show()

    def _fail(self, error: Exception) -> None:
        """Say what is wrong; the form shows again what holds."""
        self._error = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        self._show()

    def _plain(self) -> dict[str, Any]:
        found, shown = self._found, self._read if self._read is not None else self._preview
        columns, values = columns_of(found, self._read)
        return {
            "turn": int(self._data.get("turn", 0)) + 1 if self.trait_values().get("_data") else 0,
            "path": str(found.path),
            "others": [one.what for one in self._all] if len(self._all) > 1 else [],
            "at": self._at,
            "facts": facts_of(found),
            "needs": [f"{name}: {why}" for name, why in found.undecided.items()],
            "problems": problems_of(found, self._read),
            "form": form_of(found, columns, values),
            "channels": channel_rows(found),
            "plates": plates_of(found, self._read),
            "pictures": plain_pictures(pictures_of(shown)),
            "legend": legend_of(shown),
            "code": found.code,
            "can_read": found.reader is not None and not found.undecided,
            "says": "" if self._read is None else _said(self._read),
            "error": self._error,
        }

    def _saved(self) -> tuple[str, list[np.ndarray]]:
        shown = self._read if self._read is not None else self._preview
        return f"'{self._found.path}': {self._found.what}.", [picture for picture, _ in pictures_of(shown)]

    def _markup(self) -> str:
        return markup_of(self._data)


def _columns_in(value: Any) -> set[str]:
    return {value} if isinstance(value, str) else set(value or ())


def _said(read: Fields | Cells) -> str:
    n = count(len(read), "field" if isinstance(read, Fields) else "cell")
    return f"Read: {n}, {count(len(read.channels), 'channel')}. Declared: {read.design}."


def read_folder(path: str | Path, **options: Any) -> FolderReader:
    """Point at a folder or file, see what was recognised, correct it, and read it.

    Everything in the form is an option of the reader, and the line of code below it does the same without the form.
    Nothing is guessed in silence: what has to be chosen is asked for, and files that do not fit are named.

    Parameters
    ----------
    path : path
        A folder or file, as in `ms.io.recognise`.
    **options
        What the form begins with: label, unit, batch, control, treatment, pattern, channels, pixel_size_um, …

    Returns
    -------
    FolderReader
        ``.read()`` gives `Fields` or `Cells`; ``.code`` is the line; ``.change(…)`` does what the form does; ``.found``
        is the `Recognition`.

    Raises
    ------
    FileNotFoundError
        There is nothing of that name.
    ValueError
        There is no such option, or it cannot have this value.

    Examples
    --------
    >>> from mlscope_nb.datasets import embedded
    >>> reader = read_folder(embedded.folder() / "fly", channels=["DNA", "F", "R"])
    >>> len(reader.read()), "channels=['DNA', 'F', 'R']" in reader.code
    (3, True)
    """
    reader = FolderReader(recognise(path))
    return reader.change(**options) if options else reader
