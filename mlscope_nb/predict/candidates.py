"""Candidates: the models that can be recommended, each as one call of `cross_validate`, from simple to costly."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal, get_args

import pandas as pd

from mlscope_nb._design import Columns
from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.predict.curves import learning_curve
from mlscope_nb.predict.evaluation import Evaluation
from mlscope_nb.predict.feature_model import Classifier, train_model
from mlscope_nb.predict.folds import make_folds
from mlscope_nb.predict.scale import Normalize
from mlscope_nb.predict.tables import MEASURED, origins
from mlscope_nb.predict.validation import cross_validate
from mlscope_nb.study.splits import Split

Candidate = Literal[
    "classical", "pretrained", "classical and pretrained", "self-supervised", "small network", "fine-tuned"
]
TRAINED = ("self-supervised", "small network", "fine-tuned")
"""Trained on the images themselves, which takes minutes for each fold."""
EMBEDDED = ("pretrained", "classical and pretrained")
FEW_FOLDS = 2


def checked(cells: Cells, candidates: Sequence[Candidate] | None) -> list[Candidate]:
    """Return the models to run, simple ones first: the given ones, or those of features that the cells allow.

    Raises
    ------
    ValueError
        No such model, none at all, or a model of pixels for cells without images.
    """
    embedded = cells.images is not None or bool(of_networks(cells.features))
    if candidates is None:
        return ["classical", "pretrained", "classical and pretrained"] if embedded else ["classical"]
    names = [candidates] if isinstance(candidates, str) else list(candidates)
    known = list(get_args(Candidate))
    unknown = [n for n in names if n not in known]
    if unknown or not names:
        raise ValueError(f"candidates holds {some(unknown) or 'nothing'}. There are: {some(known, 10)}.")
    cannot = (TRAINED if cells.images is None else ()) + (() if embedded else EMBEDDED)
    blind = [n for n in names if n in cannot]
    if blind:
        raise ValueError(f"{some(blind)} read images, and these cells have only tables. Leave them out.")
    return [n for n in known if n in names]


def of_networks(table: pd.DataFrame | None) -> list[str]:
    """Return the columns of a table that are outputs of networks."""
    found = {} if table is None else origins([str(c) for c in table.columns])
    return [column for name, columns in found.items() if name != MEASURED for column in columns]


@dataclass(frozen=True, eq=False)
class Runner:
    """Runs candidates on the same folds.

    Parameters
    ----------
    cells : Cells
        Labelled, with a unit.
    by : str or several, optional
        What is held out.
    normalize : str or Normalizer, optional
        For models of features.
    n_permutations : int
        Exchanged labels for models of features.
    level, seed, progress
        As in `cross_validate`.
    epochs : int, optional
        For models that are trained on images; default: their own.
    splits : sequence of Split, optional
        Splits of one's own.
    """

    cells: Cells
    by: Columns
    normalize: Normalize
    n_permutations: int
    level: float
    seed: int
    progress: bool
    epochs: int | None = None
    splits: Sequence[Split] | None = None

    @cached_property
    def classical(self) -> pd.DataFrame:
        """Measured features: those that the cells have, or shape and intensity measured now."""
        from mlscope_nb.features import foreground, measure, select

        table = self.cells.features
        own = [] if table is None else origins([str(c) for c in table.columns]).get(MEASURED, [])
        if table is not None and own:
            return table[own]
        cells = self.cells
        if cells.masks is None and cells.images is not None:
            cells = cells.with_masks(foreground(cells, progress=self.progress))
        with warnings.catch_warnings():
            # What cannot be measured in some cells becomes a gap, and gaps are told by the evaluation.
            warnings.simplefilter("ignore", UserWarning)
            found = select(cells.with_features(measure(cells, progress=self.progress))).features
        refuse_nothing(found)
        return found  # type: ignore[return-value]

    @cached_property
    def pretrained(self) -> pd.DataFrame:
        """Embeddings: those that the cells have, or those of the installed network."""
        from mlscope_nb.features import embed_pretrained

        table = self.cells.features
        own = of_networks(table)
        return table[own] if table is not None and own else embed_pretrained(self.cells)

    @property
    def few(self) -> Runner:
        """The same on two folds, for what takes minutes; where groups are few, what is learned from is half as much."""
        return replace(self, splits=make_folds(self.cells, self.by, FEW_FOLDS, self.seed).splits)

    def run(self, name: Candidate, *, baselines: bool = True) -> Evaluation:
        """Return how well one candidate does, and with `baselines` what it has to beat."""
        share: dict[str, Any] = {"by": self.by, "level": self.level, "seed": self.seed, "progress": self.progress}
        share |= {"splits": self.splits, "baselines": baselines}
        if name in TRAINED:
            return cross_validate(self.cells, self._learner(name), **share)
        share |= {"normalize": self.normalize, "n_permutations": self.n_permutations}
        return cross_validate(self.cells, "logistic", features=self.tables(name), **share)

    def curve(self, name: Candidate) -> pd.DataFrame:
        """Return how a model of features does with fewer units, and what more would bring."""
        # Its own level (80 %): it is to plan by, and a wider interval would hold "no gain" in almost any study.
        share: dict[str, Any] = {"seed": self.seed, "progress": self.progress}
        tables = self.tables(name)
        return learning_curve(self.cells, "logistic", self.by, self.normalize, features=tables, n_draws=3, **share)

    def tables(self, name: Candidate) -> dict[str, pd.DataFrame]:
        """Return the tables that a model of features reads."""
        wanted = {"classical": ["classical"], "pretrained": ["pretrained"]}.get(name, ["classical", "pretrained"])
        return {table: getattr(self, table) for table in wanted}

    def _learner(self, name: Candidate) -> Any:
        if name == "self-supervised":
            return partial(self_supervised, normalize=self.normalize, epochs=self.epochs, seed=self.seed)
        from mlscope_nb.predict.image_model import train_network

        kind: Literal["small", "finetune"] = "small" if name == "small network" else "finetune"
        return partial(train_network, model=kind, epochs=self.epochs, seed=self.seed)


@dataclass(frozen=True, eq=False)
class _Encoded:
    """A model of what an encoder makes of images."""

    encoder: Any
    model: Classifier

    def predict_proba(self, cells: Cells) -> pd.DataFrame:
        return self.model.predict_proba(cells.with_features(self.encoder.transform(cells)))


def self_supervised(
    cells: Cells, *, normalize: Normalize = None, epochs: int | None = None, seed: int = 0
) -> Classifier:
    """Train an encoder on these cells without labels, and a logistic regression on its numbers."""
    from mlscope_nb.features import train_selfsupervised

    encoder = train_selfsupervised(cells, epochs=epochs, seed=seed)
    own = cells.with_features(encoder.transform(cells))
    return _Encoded(encoder, train_model(own, "logistic", normalize, seed=seed))


def refuse_nothing(table: pd.DataFrame | None) -> None:
    """Refuse cells of which nothing could be measured."""
    if table is None or not table.shape[1]:
        raise ValueError("Nothing that varies could be measured in these cells. Look at them: ms.views.gallery(cells).")
