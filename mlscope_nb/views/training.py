"""Label, train, correct: a workbench that learns from the labels given in it, round by round."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.predict.label_rounds import LabelRounds, Round
from mlscope_nb.predict.models import ModelName
from mlscope_nb.predict.queries import Strategy
from mlscope_nb.predict.scale import Normalize
from mlscope_nb.study._result import number
from mlscope_nb.study.blocks import ordered
from mlscope_nb.views._autosave import Autosave
from mlscope_nb.views._crops import Contrast, Crops
from mlscope_nb.views._given import refuse_other_than_cells
from mlscope_nb.views._order import TABLE
from mlscope_nb.views._rounds import read_rounds, write_rounds
from mlscope_nb.views._sentences import shortened
from mlscope_nb.views._widget import script
from mlscope_nb.views.labelling import MOST_KEYS
from mlscope_nb.views.map import Embedding
from mlscope_nb.views.workbench import SCRIPTS, Workbench

SHOWN = {"uncertain": "Uncertain first", "test": "Test cells"}
FIRST = (
    "Label about ten cells of two kinds or more (draw around some, or click a crop and press a number key), then train."
)


class LabelTrainCorrect(Workbench):
    """What `label_train_correct` returns: a workbench with training, from buttons and from Python."""

    _esm = script(*SCRIPTS, "training.js")
    _training = traitlets.Dict().tag(sync=True)

    def __init__(self, cells: Cells, rounds: LabelRounds, *args: Any, **options: Any) -> None:
        self._rounds = rounds
        self._earlier: list[dict[str, Any]] = []
        self._turned = np.array([], int)
        self._about_training, self._training_warning = FIRST, False
        self._training = {"rounds": [], "can_train": False, "trained": False, "by_hand": False, "text": ""}
        super().__init__(cells, *args, **options)
        self._earlier = self._read_earlier()
        self._draw_training()

    @property
    def history(self) -> pd.DataFrame:
        """One row per round, those of earlier sessions first: labels, score on locked units with interval, seconds."""
        return pd.DataFrame([*self._earlier, *(self._numbered(one) for one in self._rounds.rounds)])

    @property
    def locked(self) -> pd.Index:
        """Ids of the cells of the locked units: never learned from, never asked about."""
        return self._rounds.locked

    def train(self) -> Round:
        """Train on the labels given so far, and score on the locked units.

        Raises
        ------
        ValueError
            Fewer than two kinds are labelled outside of the locked units.
        """
        done = self._rounds.train(self._labels())
        self._about_training, self._training_warning = _sentence(done), False
        self._keep()
        self._draw_training()
        return done

    def uncertain(self, n: int = 30, strategy: Strategy = "margin") -> pd.Index:
        """Show the unlabelled cells that the model doubts most in the gallery, and return their ids.

        Parameters
        ----------
        n : int
            How many.
        strategy : str
            "margin", "uncertainty" or "diverse", as in `ms.predict.active_learning`.

        Raises
        ------
        ValueError
            Nothing was trained yet.
        """
        found = self._rounds.doubtful(n, strategy)
        self._turn_to("uncertain", self.cells.ids.get_indexer(found))
        return found

    def test_cells(self) -> pd.Index:
        """Show cells of the locked units, mixed, those without a label first; labels given to them are the test."""
        rows = self.cells.ids.get_indexer(self.locked)
        rows = np.random.default_rng(0).permutation(rows)
        known = self._labels().notna().to_numpy()[rows]
        self._turn_to("test", rows[np.argsort(known, kind="stable")])
        return self.cells.ids[self._turned]

    def _turn_to(self, what: str, rows: np.ndarray) -> None:
        self._turned, self._show, self._building = rows, what, False
        self.sort(TABLE)
        if len(rows):
            self.find(self.cells.ids[rows[0]])

    # --- the gallery ----------------------------------------------------------------------------------------

    def _shown(self) -> np.ndarray:
        return self._turned if self._show in SHOWN else super()._shown()

    def _title(self, n: int) -> dict[str, Any]:
        words = super()._title(n)
        if self._show not in SHOWN:
            return words
        here = {"value": self._show, "label": SHOWN[self._show].lower()}
        return {**words, "title": f"{SHOWN[self._show]} ({count(n, 'cell')})", "choices": [*words["choices"], here]}

    def _names(self, rows: np.ndarray) -> list[str]:
        names = super()._names(rows)
        if self._blind or self._show != "uncertain" or not self._rounds.rounds:
            return names
        said = self._rounds.probabilities()
        return [f"{name} {_guess(said.loc[i])}" for name, i in zip(names, self.cells.ids[rows], strict=True)]

    # --- the panel ------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        super()._follow()
        self._draw_training()

    def _draw_training(self) -> None:
        labels = self._labels()
        mine = labels[labels.notna() & labels.index.isin(self._rounds.open)]
        self._training = {
            "rounds": [_row({str(k): v for k, v in one.items()}) for one in self.history.to_dict(orient="records")],
            "can_train": mine.nunique() > 1,
            "trained": bool(self._rounds.rounds),
            "by_hand": self._rounds.answers is None,
            "text": self._about_training,
            "warning": self._training_warning,
        }

    def _on_train(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._try(self.train)

    def _on_uncertain(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._try(self.uncertain)

    def _on_test(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._try(self.test_cells)

    def _try(self, work: Any) -> None:
        try:
            work()
        except ValueError as error:
            self._about_training, self._training_warning = str(error), True
            self._draw_training()

    # --- rounds on disk -------------------------------------------------------------------------------------

    def _numbered(self, one: Round) -> dict[str, Any]:
        return {**one.to_dict(), "number": len(self._earlier) + one.number}

    def _kept_in(self) -> Path | None:
        path = self.annotations.path
        return None if path is None else path.with_suffix(".rounds.json")

    def _keep(self) -> None:
        """Write the rounds beside the labels; a disk that refuses loses no label and is named."""
        path = self._kept_in()
        if path is None:
            return
        try:
            write_rounds(path, self.history, self.cells.fingerprint)
        except OSError as error:
            self._say(f"The rounds could not be saved: {error}", warning=True)

    def _read_earlier(self) -> list[dict[str, Any]]:
        path = self._kept_in()
        if path is None or not path.exists():
            return []
        try:
            return read_rounds(path, self.cells.fingerprint)
        except (ValueError, KeyError, TypeError, OSError):
            self._say(f"Earlier rounds in {path.name} could not be read; the labels are unharmed.", warning=True)
            return []


def label_train_correct(
    cells: Cells,
    *,
    truth: str | None = None,
    model: ModelName | Any = "logistic",
    normalize: Normalize = None,
    embedding: Embedding = "pca",
    autosave: Autosave = None,
    label: str | None = None,
    keys: Iterable[str] = (),
    colours: Mapping[str, str] | None = None,
    channels: Sequence[str] | None = None,
    contrast: Contrast | None = None,
    seed: int = 0,
) -> LabelTrainCorrect:
    """Open a workbench in which a model learns from your labels: label ten cells, train, look at its doubts, correct.

    One unit in three is locked away before you begin. Its cells are never learned from and never asked about; each
    round is scored on them, with an interval over units. The labels are those of `ms.views.explore`, on disk as they
    are given.

    Parameters
    ----------
    cells : Cells
        With features, and a declared unit.
    truth : str, optional
        Column of `obs` with the right answers, for practice: the test is then all of the locked cells. Without it the
        test is what you label among them ("Show test cells").
    model, normalize
        As in `ms.predict.cross_validate`; normalize is "standardize" where a batch is declared.
    embedding, autosave, label, keys, colours, channels, contrast, seed
        As in `ms.views.explore`; keys are the classes of `truth` if there is one. `seed` also decides what is locked.

    Returns
    -------
    LabelTrainCorrect
        With ``train()``, ``uncertain(n)``, ``test_cells()``, ``history``, ``locked``, and all of a workbench:
        ``select(ids)``, ``assign(name)``, ``labels``, ``undo()``.

    Raises
    ------
    TypeError, ValueError, KeyError
        Not Cells, no features, too few units, or no such column.

    Examples
    --------
    >>> obs = pd.DataFrame({"well": np.arange(60) // 5, "kind": np.tile(list("ab"), 30)})
    >>> table = pd.DataFrame({"area": 4.0 * (obs["kind"] == "b"), "noise": np.arange(60) % 7})
    >>> w = label_train_correct(Cells(obs, features=table, unit="well"), truth="kind", autosave=False)
    >>> kinds = w.cells.obs["kind"].drop(w.locked)
    >>> for kind in "ab":
    ...     _ = w.select(kinds.index[kinds == kind][:5]).assign(kind)
    >>> w.train().score.estimate, len(w.uncertain(6))
    (1.0, 6)
    """
    refuse_other_than_cells(cells)
    if not len(cells):
        raise ValueError("There are no cells to show: 0 rows.")
    rounds = LabelRounds(cells, truth=truth, model=model, normalize=normalize, seed=seed)
    crops = None
    if cells.images is not None:
        crops = Crops(cells, channels=channels, contrast=contrast)
    named = [keys] if isinstance(keys, str) else list(keys)
    if not named and rounds.answers is not None:
        named = [str(c) for c in ordered(rounds.answers)][:MOST_KEYS]
    view = LabelTrainCorrect(
        cells,
        rounds,
        embedding,
        "",
        autosave=autosave,
        label=label,
        colours=colours,
        crops=crops,
        seed=seed,
        keys=named,
        sort=TABLE,
        _wide_rows=3,
        _height=330,
    )
    view.show(colour=view.label)
    return view


def _sentence(done: Round) -> str:
    text = f"Round {done.number}: {count(done.n_labelled, 'label')} of {count(done.n_classes, 'class', 'classes')}"
    text += f" ({done.n_changed:,} new or changed)."
    return f"{text} Balanced accuracy on {done.score.target}: {done.score}."


def _row(one: dict[str, Any]) -> list[str]:
    low, high = (float("nan") if one[k] is None else float(one[k]) for k in ("low", "high"))
    score = "not tested" if not one["n_tested"] else number(float(one["balanced_accuracy"]), high - low)
    if np.isfinite(low):
        score += f" ({number(low, high - low)} to {number(high, high - low)}, {int(one['n_units'])} units)"
    plain = [f"{int(one[k]):,}" for k in ("number", "n_labelled", "n_changed")]
    return [*plain, score, f"{int(one['n_tested']):,}", f"{float(one['seconds']):.1f}"]


def _guess(said: pd.Series) -> str:
    best = said.sort_values(ascending=False, kind="stable").head(2)
    return "· " + " or ".join(f"{shortened(name)} {100 * p:.0f} %" for name, p in best.items())
