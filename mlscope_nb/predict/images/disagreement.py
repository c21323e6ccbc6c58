"""Disagreement: networks of other seeds say other things where they guess; is that where they are wrong?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb._words import count
from mlscope_nb.fields import Fields
from mlscope_nb.predict.images.image_network import ImageNetwork
from mlscope_nb.predict.images.learning import Task
from mlscope_nb.predict.images.pictures import Given, Pictures
from mlscope_nb.predict.images.scaling import ends
from mlscope_nb.predict.images.training import train
from mlscope_nb.study.bootstrap import bootstrap_interval

WORST = 0.25
RESAMPLES = 500


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Networks that were trained alike, with other seeds.

    Parameters
    ----------
    networks : tuple of ImageNetwork
        Two or more that make pictures.
    """

    networks: tuple[ImageNetwork, ...]

    def __post_init__(self) -> None:
        if len(self.networks) < 2:
            raise ValueError(f"{count(len(self.networks), 'network')}: at least 2 are needed to disagree.")
        known = {(n.task, n.outputs) for n in self.networks}
        if len(known) > 1 or self.networks[0].task == "segment":
            raise ValueError("The networks have to make the same channels: objects have no mean and no spread.")

    def predict(self, fields: Given, *, progress: bool = True) -> Given:
        """Return the mean of what the networks predict."""
        return self._of(fields, "ensemble_mean", np.mean, progress)

    def disagreement(self, fields: Given, *, progress: bool = True) -> Given:
        """Return the standard deviation of what the networks predict, pixel by pixel."""
        return self._of(fields, "ensemble_disagreement", np.std, progress)

    def _of(self, fields: Given, name: str, what: Any, progress: bool) -> Given:
        each = [Pictures(n.predict(fields, progress=progress)) for n in self.networks]
        images = [
            what([e.image(k).astype(np.float64) for e in each], axis=0).astype(np.float32) for k in range(len(fields))
        ]
        step = {"step": name, "seeds": [n.settings["seed"] for n in self.networks]}
        return Pictures(fields).replaced(images, self.networks[0].outputs, step)


def train_ensemble(
    fields: Given, task: Task = "stain", *, seeds: Sequence[int] = (0, 1, 2), **options: Any
) -> Ensemble:
    """Train several networks alike, with other seeds: where they disagree they have not learned it.

    Parameters
    ----------
    fields, task, **options
        As in `train`.
    seeds : sequence of int
        One network each.

    Raises
    ------
    ValueError
        Fewer than two seeds, the same seed twice, or what `train` refuses.
    """
    if task == "segment":
        raise ValueError("An ensemble makes pictures (task='stain' or 'denoise'): objects have no mean and no spread.")
    if len(set(seeds)) != len(seeds) or len(seeds) < 2:
        raise ValueError(f"seeds is {list(seeds)!r}, expected two different ones or more.")
    return Ensemble(tuple(train(fields, task, seed=seed, **options) for seed in seeds))


def of_crops(
    ensemble: Ensemble,
    inputs: Fields,
    predicted: Fields,
    truth: Fields,
    units: pd.Series,
    domains: pd.Series,
    window_px: int,
    progress: bool,
) -> pd.DataFrame:
    """Return error, disagreement and brightness in each square of each field.

    Returns
    -------
    DataFrame
        field, unit, domain, y_px, x_px, error (root mean square, in shares of the true range), disagreement and
        brightness (means, in shares of the predicted range).
    """
    if window_px < 2:
        raise ValueError(f"window_px is {window_px}, expected the side of a crop in pixels.")
    unsure = Pictures(ensemble.disagreement(inputs, progress=progress))
    row = unsure.rows(predicted.channels)
    rows = []
    for k in tqdm(range(len(truth)), desc="Crops", unit="field", leave=False, delay=2, disable=not progress):
        said, true = np.asarray(predicted.images[k])[0], np.asarray(truth.images[k])[0]
        (low, high), (dark, bright) = ends(true[None])[0], ends(said[None])[0]
        wrong = ((said.astype(float) - true) / (high - low)) ** 2
        layers = wrong, unsure.image(k, row)[0] / (bright - dark), (said - dark) / (bright - dark)
        about = {"field": truth.ids[k], "unit": units.iloc[k], "domain": domains.iloc[k]}
        rows += [{**about, **square} for square in _squares(layers, window_px)]
    if not rows:
        raise ValueError(f"No field holds a square of {window_px} pixels. Give a smaller window_px.")
    return pd.DataFrame(rows)


def _squares(layers: tuple[np.ndarray, ...], side: int) -> list[dict[str, float]]:
    height, width = layers[0].shape
    found = []
    for y in range(0, height - side + 1, side):
        for x in range(0, width - side + 1, side):
            wrong, unsure, bright = (float(layer[y : y + side, x : x + side].mean()) for layer in layers)
            found.append({"y_px": y, "x_px": x, "error": wrong**0.5, "disagreement": unsure, "brightness": bright})
    return found


def warnings_of(crops: pd.DataFrame, *, level: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Return how well disagreement finds the worst quarter of the crops, within each domain.

    Parameters
    ----------
    crops : DataFrame
        As `of_crops` returns.
    level : float
        Confidence level.
    seed : int
        Seed of the bootstrap over units.

    Returns
    -------
    DataFrame
        One row per domain: AUROC of the disagreement with ``low`` and ``high`` (over units), and of the brightness
        alone, which costs nothing to know.

    Examples
    --------
    >>> errors = np.arange(24) / 24
    >>> crops = pd.DataFrame({"unit": list("abcd") * 6, "domain": "all", "error": errors, "disagreement": errors**2})
    >>> warnings_of(crops.assign(brightness=-errors))[["disagreement", "brightness"]].values.tolist()
    [[1.0, 0.0]]
    """
    rows: dict[str, dict[str, float]] = {}
    for name, part in crops.groupby("domain", sort=False):
        own = part.assign(worst=part["error"] > part["error"].quantile(1 - WORST))
        options: dict[str, Any] = {"level": level, "n_resamples": RESAMPLES, "bounds": (0.0, 1.0), "seed": seed}
        found = bootstrap_interval(own, own["unit"], partial(_auroc, by="disagreement"), target="AUROC", **options)
        rows[str(name)] = {
            "disagreement": found.estimate, "low": found.low, "high": found.high,
            "brightness": _auroc(own, "brightness"), "n_crops": len(own), "n_units": found.n_units,
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("domain")


def _auroc(crops: pd.DataFrame, by: str) -> float:
    """Return how often one of the worst crops has more of something than another crop, ties counted half."""
    worst = crops["worst"].to_numpy(bool)
    n, m = int(worst.sum()), int((~worst).sum())
    if not n or not m:
        return float("nan")
    ranks = crops[by].rank().to_numpy()
    return float((ranks[worst].sum() - n * (n + 1) / 2) / (n * m))
