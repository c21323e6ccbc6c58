"""Candidates: the models that can be recommended, each as one call of `cross_validate`, from simple to costly."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal, get_args

import pandas as pd

from mlscope_nb._design import Columns
from mlscope_nb._words import some
from mlscope_nb.cells import Cells
from mlscope_nb.predict.curves import learning_curve
from mlscope_nb.predict.evaluation import Evaluation
from mlscope_nb.predict.feature_model import Classifier, train_model
from mlscope_nb.predict.scale import Normalize
from mlscope_nb.predict.tables import MEASURED, origins
from mlscope_nb.predict.validation import cross_validate

Candidate = Literal[
    "classical", "pretrained", "classical and pretrained", "self-supervised", "small network", "fine-tuned"
]
OF_PIXELS = ("pretrained", "classical and pretrained", "self-supervised", "small network", "fine-tuned")


def checked(cells: Cells, candidates: Sequence[Candidate] | None) -> list[Candidate]:
    """Return the models to run, simple ones first: the given ones, or two that suit what the cells hold.

    Raises
    ------
    ValueError
        No such model, none at all, or a model of pixels for cells without images.
    """
    if candidates is None:
        return ["classical"] if cells.images is None else ["classical", "classical and pretrained"]
    names = [candidates] if isinstance(candidates, str) else list(candidates)
    known = list(get_args(Candidate))
    unknown = [n for n in names if n not in known]
    if unknown or not names:
        raise ValueError(f"candidates holds {some(unknown) or 'nothing'}. There are: {some(known, 10)}.")
    blind = [n for n in names if n in OF_PIXELS and cells.images is None]
    if blind:
        raise ValueError(f"{some(blind)} read images, and these cells have only tables. Leave them out.")
    return [n for n in known if n in names]


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
    """

    cells: Cells
    by: Columns
    normalize: Normalize
    n_permutations: int
    level: float
    seed: int
    progress: bool

    @cached_property
    def classical(self) -> pd.DataFrame:
        """Measured features: those that the cells have, or shape and intensity measured now."""
        from mlscope_nb.features import measure, select

        table = self.cells.features
        if table is not None:
            return table[origins([str(c) for c in table.columns]).get(MEASURED, list(table.columns))]
        with warnings.catch_warnings():
            # What cannot be measured in some cells becomes a gap, and gaps are told by the evaluation.
            warnings.simplefilter("ignore", UserWarning)
            found = select(self.cells.with_features(measure(self.cells, progress=self.progress))).features
        refuse_nothing(found)
        return found  # type: ignore[return-value]

    @cached_property
    def pretrained(self) -> pd.DataFrame:
        """Embeddings of the installed network."""
        from mlscope_nb.features import embed_pretrained

        return embed_pretrained(self.cells)

    def run(self, name: Candidate) -> Evaluation:
        """Return how well one candidate does."""
        share: dict[str, Any] = {"by": self.by, "level": self.level, "seed": self.seed, "progress": self.progress}
        if name in ("self-supervised", "small network", "fine-tuned"):
            return cross_validate(self.cells, self._learner(name), **share)
        share |= {"normalize": self.normalize, "n_permutations": self.n_permutations}
        return cross_validate(self.cells, "logistic", features=self.tables(name), **share)

    def curve(self, name: Candidate) -> pd.DataFrame:
        """Return how a model of features does with fewer units, and what more would bring."""
        share: dict[str, Any] = {"level": self.level, "seed": self.seed, "progress": self.progress}
        tables = self.tables(name)
        return learning_curve(self.cells, "logistic", self.by, self.normalize, features=tables, n_draws=3, **share)

    def tables(self, name: Candidate) -> dict[str, pd.DataFrame]:
        """Return the tables that a model of features reads."""
        wanted = {"classical": ["classical"], "pretrained": ["pretrained"]}.get(name, ["classical", "pretrained"])
        return {table: getattr(self, table) for table in wanted}

    def _learner(self, name: Candidate) -> Any:
        if name == "self-supervised":
            return partial(self_supervised, normalize=self.normalize, seed=self.seed)
        from mlscope_nb.predict.image_model import train_network

        return partial(train_network, model="small" if name == "small network" else "finetune", seed=self.seed)


@dataclass(frozen=True, eq=False)
class _Encoded:
    """A model of what an encoder makes of images."""

    encoder: Any
    model: Classifier

    def predict_proba(self, cells: Cells) -> pd.DataFrame:
        return self.model.predict_proba(cells.with_features(self.encoder.transform(cells)))


def self_supervised(cells: Cells, *, normalize: Normalize = None, seed: int = 0) -> Classifier:
    """Train an encoder on these cells without labels, and a logistic regression on its numbers."""
    from mlscope_nb.features import train_selfsupervised

    encoder = train_selfsupervised(cells, seed=seed)
    own = cells.with_features(encoder.transform(cells))
    return _Encoded(encoder, train_model(own, "logistic", normalize, seed=seed))


def refuse_nothing(table: pd.DataFrame | None) -> None:
    """Refuse cells of which nothing could be measured."""
    if table is None or not table.shape[1]:
        raise ValueError("Nothing that varies could be measured in these cells. Look at them: ms.views.gallery(cells).")
