"""The pitfall laboratory as a view: a slider gives the dose, a picture the damage, a button the remedy."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any, Self

import numpy as np
import traitlets
from tqdm.auto import tqdm

from mlscope_nb._words import some
from mlscope_nb.risks import run, scenarios
from mlscope_nb.risks.lesson import Lesson
from mlscope_nb.views._lessonpictures import scene
from mlscope_nb.views._picturetable import page_of
from mlscope_nb.views._widget import View, script
from mlscope_nb.views.page import write_page

_SCRIPTS = ("common.js", "pitfall_plots.js", "pitfall.js")


class PitfallView(View):
    """What `pitfall` returns: one pitfall at a time, at a dose, with or without its remedy."""

    _esm = script(*_SCRIPTS)
    _data = traitlets.Dict().tag(sync=True)
    _names: Any = traitlets.List().tag(sync=True)
    _state = traitlets.Dict().tag(sync=True)

    def __init__(self, name: str, names: list[dict[str, str]], *, seed: int, progress: bool) -> None:
        self._seed, self._progress = seed, progress
        self._known: dict[str, tuple[Lesson, ...]] = {}
        lessons = self._given(name)
        state = {"name": name, "step": 0, "remedy": False, "control": False, "turn": 0}
        super().__init__(_data=scene(lessons), _names=names, _state=state)
        self.observe(self._turned, "_state")

    @property
    def lessons(self) -> tuple[Lesson, ...]:
        """What was found at each dose, from none to the largest."""
        return self._given(self._state["name"])

    @property
    def lesson(self) -> Lesson:
        """What was found at the dose that is shown."""
        return self.lessons[self._state["step"]]

    @property
    def dose(self) -> float:
        """The dose that is shown."""
        return self.lesson.dose

    def set(
        self,
        *,
        dose: float | None = None,
        remedy: bool | None = None,
        control: bool | None = None,
        name: str | None = None,
    ) -> Self:
        """Do what slider, buttons and list do.

        Parameters
        ----------
        dose : float, optional
            One of the usual doses.
        remedy, control : bool, optional
            Show what the remedy leaves; show the study without the danger.
        name : str, optional
            Another pitfall of the list: it begins without a dose.

        Raises
        ------
        ValueError
            No such dose or pitfall.
        """
        state = {**self._state, "turn": self._state["turn"] + 1}
        if name is not None and name != state["name"]:
            self._given(name)
            state |= {"name": name, "step": 0, "remedy": False, "control": False}
        doses = [one.dose for one in self._given(state["name"])]
        if dose is not None:
            if dose not in doses:
                raise ValueError(f"dose={dose!r} is not on the slider. Doses: {some([f'{d:g}' for d in doses], 20)}.")
            state["step"] = doses.index(dose)
        state |= {k: bool(v) for k, v in (("remedy", remedy), ("control", control)) if v is not None}
        self._state = state
        return self

    def to_html(self, path: str | Path) -> Path:
        """Write the pitfall that is shown as one page that works without a kernel and without a network.

        Returns
        -------
        Path
            The file.
        """
        return write_page(path, self._whole() or "")

    def _given(self, name: str) -> tuple[Lesson, ...]:
        """Run a pitfall at all of its usual doses, once: a slider may then be moved as fast as one likes."""
        if name not in self._known:
            # An unknown name is refused by `run`.
            known = dict(scenarios()["doses"])
            doses: tuple[float | None, ...] = known.get(name, (None,))
            bar = tqdm(doses, desc="Doses", delay=2, leave=False, disable=not self._progress)
            self._known[name] = tuple(run(name, dose, seed=self._seed) for dose in bar)
        return self._known[name]

    def _turned(self, change: dict[str, Any]) -> None:
        """Draw another pitfall when another one is chosen."""
        if change["new"]["name"] != self._data["name"]:
            self._data = scene(self._given(change["new"]["name"]))

    def _whole(self) -> str | None:
        return page_of(dict(self._data), self._markup(), *_SCRIPTS)

    def _saved(self) -> tuple[str, list[np.ndarray]]:
        return f"{self.lesson.title}. {self.lessons[-1].sentence}", []

    def _markup(self) -> str:
        head = "".join(f"<th>{w}</th>" for w in ("dose", "damage", "with the remedy", "danger absent"))
        lines = [
            "".join(f"<td>{html.escape(text)}</td>" for text in (f"{one.dose:g}", *map(str, _figures(one))))
            for one in self.lessons
        ]
        rows = "".join(f"<tr>{line}</tr>" for line in lines)
        words = html.escape(f"{self.lesson.danger} Dose: {self.lesson.dose_is}. Damage: {self.lesson.measures}.")
        return f'<p style="font-size:13px">{words}</p><table><tr>{head}</tr>{rows}</table>'


def _figures(one: Lesson) -> tuple[Any, Any, Any]:
    return one.damage, one.mitigated, one.control


def pitfall(name: str | None = None, *, seed: int = 0, progress: bool = True) -> PitfallView:
    """Show a pitfall of the laboratory: a slider gives the dose, a button applies the remedy.

    All usual doses are run once, when the view is made, so the slider answers at once.

    Parameters
    ----------
    name : str, optional
        One of ``ms.risks.scenarios().index``. Default: all of them, in a list to choose from.
    seed : int
        Of everything random.
    progress : bool
        Show a bar when it takes longer than 2 seconds.

    Returns
    -------
    PitfallView
        ``.lesson`` (at the dose shown), ``.lessons`` (at all doses), ``.set(dose=…, remedy=…, control=…)``,
        ``.to_html(path)``.

    Raises
    ------
    ValueError
        There is no such pitfall.

    Examples
    --------
    >>> shown = pitfall("pseudo_replication").set(dose=100, remedy=True)
    >>> shown.lesson.damage.value > 10 * shown.lesson.mitigated.value
    True
    """
    table = scenarios()
    names = [] if name is not None else [{"value": str(n), "label": str(table.loc[n, "title"])} for n in table.index]
    return PitfallView(str(table.index[0]) if name is None else name, names, seed=seed, progress=progress)
