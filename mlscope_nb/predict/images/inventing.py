"""Inventing: what a predicted picture holds that is not there, and what it lacks, field by field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb._design import Columns
from mlscope_nb._words import count, some
from mlscope_nb.fields import Fields, Stack
from mlscope_nb.io.segmentation import segment
from mlscope_nb.predict.images.disagreement import Ensemble, of_crops, warnings_of
from mlscope_nb.predict.images.invented_result import Invented
from mlscope_nb.predict.images.likeness import by_brightness, by_scale, likeness
from mlscope_nb.predict.images.matching import matched
from mlscope_nb.predict.images.measured import downstream_error
from mlscope_nb.predict.images.pictures import Pictures, of_channels
from mlscope_nb.predict.images.rates import factors, mean_over_units, table_of_domains
from mlscope_nb.predict.images.scaling import ends
from mlscope_nb.study.intervals import check_level
from mlscope_nb.study.units import noun

Masks = Literal["segment", "given"]
Segmenting = Callable[[Fields], Fields]
CLASSES = 4
"""Objects are compared in quarters of their size, and of their brightness."""


def invented(
    predicted: Fields,
    truth: Fields,
    *,
    channel: str | int | None = None,
    masks: Masks | Segmenting = "segment",
    by: Columns = None,
    domain: str | None = None,
    iou: float = 0.5,
    ensemble: Ensemble | None = None,
    inputs: Fields | None = None,
    window_px: int = 64,
    downstream: bool = False,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> Invented:
    """Measure what predicted pictures invent and miss, not only how alike they look.

    Objects are found in the predicted and in the true picture by the same recipe, and matched. All intervals are over
    units. Where fields come from several domains (microscopes, doses of a fault, a phenotype never seen), everything is
    told apart by domain, and the first one is what the others are compared with.

    Parameters
    ----------
    predicted, truth : Fields
        The same fields; true channels are looked up by the names of the predicted ones.
    channel : str or int, optional
        In which channel objects are found and pictures are compared. Default: the first of `predicted`.
    masks : "segment", "given" or function
        "segment": `ms.io.segment` finds the objects in both. "given": both have masks. Or a function from fields to
        fields with masks.
    by : str or several, optional
        What intervals are over. Default: the unit of `truth`; each field where none is declared.
    domain : str, optional
        Column of ``truth.obs``. Put its first value in the rows first.
    iou : float
        Objects that share more than this (intersection over union) are the same.
    ensemble : Ensemble, optional
        Networks of other seeds: where they disagree, is the prediction wrong? Needs `inputs`.
    inputs : Fields, optional
        What the ensemble reads, the same fields.
    window_px : int
        Side of the crops in which disagreement is held against the error.
    downstream : bool
        Also measure the objects of `truth` (its masks) in both pictures, and tell the declared label from the features.
    level : float
        Confidence level.
    seed : int
        Seed of the bootstrap.
    progress : bool
        Show a bar when it takes longer than 2 seconds.

    Returns
    -------
    Invented
        ``.invented``, ``.missed`` (shares, with intervals), ``.likeness``, ``.per_field``, ``.domains``, ``.by_size``,
        ``.by_brightness``, ``.by_scale``, ``.warning``, ``.downstream``, ``.phenotype``.

    Raises
    ------
    ValueError, KeyError, TypeError
        Fields that do not belong together, a channel or column that is missing, masks that are missing.

    Examples
    --------
    >>> spot = np.zeros((3, 1, 64, 64)); spot[:, :, 20:34, 20:34] = 9
    >>> obs = pd.DataFrame(index=["f1", "f2", "f3"])
    >>> truth, twice = Fields(obs, list(spot)), Fields(obs, list(spot + np.roll(spot, 24, 3)))
    >>> found = invented(twice, truth)
    >>> found.invented.estimate, found.missed.estimate
    (0.5, 0.0)
    """
    check_level(level)
    _check_kinds(predicted, truth)
    name = predicted.channels[0 if channel is None else predicted.channel(channel)]
    _check_together(predicted, truth, name, domain)
    one, other = of_channels(predicted, [name]), of_channels(truth, [name])
    units, domains = Pictures(truth).units(by), _domains(truth, domain)
    per_field, of_objects, of_pixels = _compared(one, other, *_objects(one, other, masks), iou, progress)
    per_field = pd.concat([units.rename("unit"), domains, per_field], axis=1)
    word = noun(truth.design.unit) if truth.design.unit and by is None else "field" if by is None else "unit"
    given: dict[str, Any] = {"units": units, "level": level, "seed": seed, "word": word}
    crops = None
    if ensemble is not None:
        crops = of_crops(ensemble, _inputs(inputs, truth), one, other, units, domains, window_px, progress)
    features, phenotype = downstream_error(one, other, level=level, seed=seed) if downstream else (None, None)
    return Invented(
        channel=name,
        invented=mean_over_units(per_field["invented_share"], "share of found objects that are invented", **given),
        missed=mean_over_units(per_field["missed_share"], "share of true objects that are missed", **given),
        likeness={k: mean_over_units(per_field[k], k, **given) for k in ("psnr", "ssim", "correlation")},
        count_error=mean_over_units(per_field["count_error"], "found over true objects, less 1", **given),
        per_field=per_field,
        domains=table_of_domains(per_field, level, seed, word),
        factors=factors(per_field, level),
        by_size=_by_class(of_objects, "area_px", **given),
        by_brightness=_by_class(of_objects, "brightness", **given),
        by_scale=_averaged(of_pixels["scale"], "size_px", units, domains),
        by_grey=_averaged(of_pixels["grey"], "brightness", units, domains),
        crops=crops,
        warning=None if crops is None else warnings_of(crops, level=level, seed=seed),
        downstream=features,
        phenotype=phenotype,
        notes=_notes(per_field),
    )


def _check_kinds(predicted: Fields, truth: Fields) -> None:
    for what, given in (("predicted", predicted), ("truth", truth)):
        if not isinstance(given, Fields):
            raise TypeError(f"{what} is a {type(given).__name__}, expected Fields.")


def _check_together(predicted: Fields, truth: Fields, name: str, domain: str | None) -> None:
    if list(predicted.ids) != list(truth.ids) or not len(truth):
        raise ValueError(
            f"predicted and truth are not the same fields: {some(predicted.ids)} and {some(truth.ids)}. Give the same "
            "ones in the same order."
        )
    if name not in truth.channels:
        raise KeyError(f"The truth has no channel '{name}'. Its channels: {some(truth.channels, 20)}.")
    if domain is not None and domain not in truth.obs.columns:
        raise KeyError(f"No column '{domain}' in truth.obs. Columns: {some(truth.obs.columns, 20)}.")
    shapes = zip(truth.ids, predicted.images.shapes, truth.images.shapes, strict=True)
    other = [str(i) for i, a, b in shapes if a[1:] != b[1:]]
    if other:
        raise ValueError(
            f"Predicted pictures of another size than the true ones: {some(other)}. Give them as predicted."
        )


def _domains(truth: Fields, domain: str | None) -> pd.Series:
    known = pd.Series("all", index=truth.ids) if domain is None else truth.obs[domain].astype(str)
    return known.rename("domain")


def _inputs(inputs: Fields | None, truth: Fields) -> Fields:
    if inputs is None or list(inputs.ids) != list(truth.ids):
        raise ValueError("An ensemble predicts again: give what it reads as inputs=…, the same fields as the truth.")
    return inputs


def _objects(one: Fields, other: Fields, masks: Masks | Segmenting) -> tuple[Stack, Stack]:
    """Return the objects in the predicted and in the true pictures."""
    if masks == "given":
        found = one.masks, other.masks
    elif masks == "segment" or callable(masks):
        recipe = masks if callable(masks) else segment
        found = recipe(one).masks, recipe(other).masks
    else:
        raise ValueError(f"masks is {masks!r}, expected 'segment', 'given' or a function of fields.")
    if found[0] is None or found[1] is None:
        raise ValueError("Predicted and true fields both need masks for masks='given'. Add them with with_masks(…).")
    return found[0], found[1]


def _compared(
    one: Fields, other: Fields, found: Stack, true: Stack, iou: float, progress: bool
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, pd.DataFrame]]:
    """Return one row per field, one per true object, and error by scale and by grey value of each field."""
    rows, objects, scales, greys = [], [], [], []
    for k in tqdm(range(len(one)), desc="Comparing", unit="field", leave=False, delay=2, disable=not progress):
        a, b = np.asarray(one.images[k])[0], np.asarray(other.images[k])[0]
        between = ends(b[None])[0]
        pairs = matched(np.asarray(found[k]), np.asarray(true[k]), iou)
        counted = _counted(len(pairs.found), len(pairs.true), int(pairs.invented.sum()), int(pairs.missed.sum()))
        rows.append({**counted, "from_nothing": int(pairs.from_nothing.sum()), **likeness(a, b, between)})
        objects.append(_of_objects(a, b, np.asarray(true[k]), pairs.true, pairs.missed, between[0], one.ids[k]))
        scales += [{"field": one.ids[k], **row} for row in by_scale(a, b)]
        greys += [{"field": one.ids[k], **row} for row in by_brightness(a, b, between)]
    pixels = {"scale": pd.DataFrame(scales), "grey": pd.DataFrame(greys)}
    return pd.DataFrame(rows, index=one.ids), pd.concat(objects, ignore_index=True), pixels


def _counted(n_found: int, n_true: int, n_invented: int, n_missed: int) -> dict[str, float]:
    return {
        "n_found": n_found, "n_true": n_true, "n_invented": n_invented, "n_missed": n_missed,
        # Where nothing was found nothing was invented; where there is nothing, nothing can be missed.
        "invented_share": n_invented / n_found if n_found else 0.0,
        "missed_share": n_missed / n_true if n_true else np.nan,
        "f1": 2 * (n_true - n_missed) / (n_found + n_true) if n_found + n_true else 1.0,
        "count_error": n_found / n_true - 1 if n_true else np.nan,
    }  # fmt: skip


def _of_objects(
    a: np.ndarray, b: np.ndarray, mask: np.ndarray, names: np.ndarray, missed: np.ndarray, dark: float, field: str
) -> pd.DataFrame:
    """Return area, brightness above the dark end, its relative error, and whether it was missed, of true objects."""
    area = np.bincount(mask.ravel(), minlength=1)[names] if len(names) else np.zeros(0)
    bright, said = (
        np.bincount(mask.ravel(), np.asarray(x, float).ravel())[names] / area - dark if len(names) else np.zeros(0)
        for x in (b, a)
    )
    found = {"area_px": area, "brightness": bright, "missed": missed.astype(float)}
    wrong = said / np.where(bright > 0, bright, np.nan) - 1
    return pd.DataFrame({"field": field, **found, "brightness_error": wrong})


def _by_class(objects: pd.DataFrame, what: str, units: pd.Series, level: float, seed: int, word: str) -> pd.DataFrame:
    """Return share missed and relative error of brightness of true objects, in quarters of size or brightness."""
    if objects.empty:
        return pd.DataFrame(columns=["low_end", "high_end", "n", "missed", "low", "high", "brightness_error"])
    edges = np.quantile(objects[what], np.linspace(0, 1, CLASSES + 1))
    code = np.clip(np.searchsorted(edges, objects[what], side="right") - 1, 0, CLASSES - 1)
    rows = []
    for k in range(CLASSES):
        own = objects[code == k]
        if own.empty:
            continue
        of = own["field"].map(units)
        share = mean_over_units(own["missed"], "share missed", units=of, level=level, seed=seed, word=word)
        ends_of = {"low_end": edges[k], "high_end": edges[k + 1], "n": len(own)}
        wrong = float(own["brightness_error"].median())
        rows.append(
            {**ends_of, "missed": share.estimate, "low": share.low, "high": share.high, "brightness_error": wrong}
        )
    return pd.DataFrame(rows)


def _averaged(rows: pd.DataFrame, what: str, units: pd.Series, domains: pd.Series) -> pd.DataFrame:
    """Return means over units of each domain."""
    found = rows.assign(unit=rows["field"].map(units), domain=rows["field"].map(domains)).drop(columns="field")
    each: pd.DataFrame = found.groupby(["domain", what, "unit"], sort=False).mean()
    return each.groupby(level=["domain", what], sort=False).mean().reset_index()


def _notes(per_field: pd.DataFrame) -> tuple[str, ...]:
    empty = int((per_field["n_true"] == 0).sum())
    blank = per_field.index[(per_field["n_found"] == 0) & (per_field["n_true"] > 0)]
    notes = []
    if empty:
        notes.append(f"{count(empty, 'field')} without a true object: whatever is found there is invented.")
    if len(blank):
        notes.append(f"Nothing at all was found in {some(blank)}.")
    return tuple(notes)
