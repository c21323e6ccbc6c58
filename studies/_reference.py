"""The reference of the simulator: 45 region and texture features, a logistic regression, plates left out."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from skimage.feature import graycomatrix, graycoprops
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, recall_score
from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlscope_nb import Cells
from mlscope_nb.features.regions import Regions
from mlscope_nb.features.shape import shape

SHAPES = ("Area", "Eccentricity", "Extent", "FormFactor", "MajorAxisLength", "MinorAxisLength")
TEXTURES = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation")
LEVELS = 16


def features(cells: Cells) -> pd.DataFrame:
    """45 numbers per cell: 6 of shape and 9 of brightness for cell and nucleus, 15 of texture."""
    columns = {}
    for part, masks in (("cell", cells.masks), ("nucleus", cells.compartments["nucleus"])):
        inside = np.asarray(masks) == 1
        of_shape = shape(Regions(inside))
        columns.update({f"{part}_{name}": of_shape[name] for name in SHAPES})
        for c, channel in enumerate(cells.channels):
            columns.update(brightness(cells.images[:, c], inside, f"{part}_{channel}"))
    for c, channel in enumerate(cells.channels):
        columns.update(texture(cells.images[:, c], np.asarray(cells.masks) == 1, channel))
    return pd.DataFrame(columns, index=cells.ids).fillna(0.0)


def brightness(images: np.ndarray, inside: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Mean, standard deviation and 95th percentile inside each mask."""
    found = np.zeros((len(images), 3))
    for i, (image, mask) in enumerate(zip(images, inside, strict=True)):
        values = image[mask]
        if values.size:
            found[i] = values.mean(), values.std(), np.percentile(values, 95)
    return {f"{name}_{what}": found[:, k] for k, what in enumerate(("mean", "sd", "p95"))}


def texture(images: np.ndarray, inside: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Haralick's texture of each masked crop, stretched to 16 grey levels, one pixel apart in four directions."""
    found = np.zeros((len(images), len(TEXTURES)))
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    for i, (image, mask) in enumerate(zip(images, inside, strict=True)):
        if not mask.any():
            continue
        low, high = np.percentile(image[mask], [1, 99])
        grey = np.clip((image - low) / max(high - low, 1.0), 0, 1) * (LEVELS - 1)
        coded = np.where(mask, grey.astype(np.uint8) + 1, 0).astype(np.uint8)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = coded[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        pairs = graycomatrix(box, [1], angles, levels=LEVELS + 1, symmetric=True)[1:, 1:].sum(3, keepdims=True)
        total = max(int(pairs.sum()), 1)
        found[i] = [float(graycoprops(pairs / total, prop)[0, 0]) for prop in TEXTURES]
    return {f"{name}_{prop}": found[:, k] for k, prop in enumerate(TEXTURES)}


def model() -> object:
    """A logistic regression on standardised features, every class counting the same."""
    return make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=300))


def predictions(table: pd.DataFrame, labels: pd.Series, groups: pd.Series, n_splits: int | None = None) -> pd.Series:
    """Out-of-fold predictions: each group left out in turn, or in `n_splits` lots of groups."""
    splitter = LeaveOneGroupOut() if n_splits is None else StratifiedGroupKFold(n_splits, shuffle=True, random_state=0)
    x, y = table.to_numpy(), labels.to_numpy()
    found = pd.Series("", index=table.index, dtype=object)
    for train, test in splitter.split(x, y, groups):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.iloc[test] = model().fit(x[train], y[train]).predict(x[test])
    return found


def scores(labels: pd.Series, found: pd.Series) -> dict[str, float]:
    """Balanced accuracy, and the recall of each class."""
    classes = sorted(labels.unique())
    recall = recall_score(labels, found, labels=classes, average=None, zero_division=0)
    return {
        "balanced_accuracy": float(balanced_accuracy_score(labels, found)),
        **dict(zip(classes, map(float, recall), strict=True)),
    }
