"""What a sheet knows of the cells themselves: design, counts, how the label lies over batches, what was done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._words import count
from mlscope_nb.cells import Cells
from mlscope_nb.predict.folds import word_of
from mlscope_nb.risks.confounding import class_and_batch
from mlscope_nb.risks.findings import Finding
from mlscope_nb.risks.leakage import illegitimate, preprocessing
from mlscope_nb.risks.sheet.values import clean, fields_of, jsonable
from mlscope_nb.study.units import noun, plural


def study_facts(cells: Cells) -> dict[str, Any]:
    """Return what is known of a study as plain values.

    Parameters
    ----------
    cells : Cells
        With or without images, features, label, unit and batch: what is not there is None.

    Examples
    --------
    >>> obs = pd.DataFrame({"plate": list("pppqqq"), "drug": list("xxyyyx")}, index=list("abcdef"))
    >>> found = study_facts(Cells(obs, batch="plate", label="drug"))
    >>> found["relation"], found["batch_alone"], found["crossing"]["rows"]
    ('crossed', 0.6666666666666666, [['x', 2, 1], ['y', 1, 2]])
    """
    design = cells.design
    return {
        "n_cells": len(cells),
        "fingerprint": cells.fingerprint,
        "unit": word_of(cells, design.unit) if design.unit else None,
        "n_units": int(cells.units.nunique()) if design.unit else None,
        "batch": noun(design.batch) if design.batch else None,
        "n_batches": int(cells.batches_of.nunique()) if design.batch else None,
        "design": jsonable(design.to_dict()),
        **_pictures(cells),
        **_classes(cells),
        **_controls(cells),
        "history": jsonable(list(cells.history)),
        "checks": [_plain(f) for f in (*class_and_batch(cells), *preprocessing(cells.history), *illegitimate(cells))],
    }


def _pictures(cells: Cells) -> dict[str, Any]:
    found: dict[str, Any] = {"images": None, "n_channels": None, "height_px": None, "width_px": None}
    if cells.images is not None:
        _, channels, height, width = cells.images.shape
        found = {"images": str(cells.images.dtype), "n_channels": channels, "height_px": height, "width_px": width}
    features = cells.features
    missing = None if features is None else int(features.isna().to_numpy().sum())
    return {
        **found,
        "channels": jsonable(cells.channels),
        "pixel_size_um": jsonable(cells.pixel_size_um),
        "masks": cells.masks is not None,
        "n_features": None if features is None else features.shape[1],
        "n_missing_values": missing,
        "maps": jsonable(list(cells.embeddings)),
    }


def _classes(cells: Cells) -> dict[str, Any]:
    nothing = {
        "n_classes": None, "n_unlabelled": None, "chance": None, "classes": None, "relation": "not declared",
        "crossing": None, "counted": None, "batch_alone": None,
    }  # fmt: skip
    if cells.design.label is None or not cells.labels.notna().any():
        return nothing
    labels = cells.labels
    known = labels.notna().to_numpy()
    frame = pd.DataFrame({"label": labels[known].map(clean)})
    frame["unit"] = cells.units[known] if cells.design.unit else frame.index
    frame["batch"] = cells.batches_of[known] if cells.design.batch else "all"
    grouped = frame.groupby("label", sort=True)
    counts = {"n_cells": grouped.size(), "n_units": grouped["unit"].nunique(), "n_batches": grouped["batch"].nunique()}
    names = list(counts["n_cells"].index)
    used = [k for k in counts if k == "n_cells" or (k == "n_units" and cells.design.unit) or cells.design.batch]
    rows = [[name, *(int(counts[k][name]) for k in used)] for name in names]
    return {
        "n_classes": len(names),
        "n_unlabelled": int((~known).sum()),
        "chance": 1 / len(names),
        "classes": {"columns": ["class", *used], "rows": rows, "n_index": 1},
        **(_crossing(frame, cells) if cells.design.batch else {k: nothing[k] for k in list(nothing)[4:]}),
    }


def _crossing(frame: pd.DataFrame, cells: Cells) -> dict[str, Any]:
    parts = frame.drop_duplicates()
    found = pd.crosstab(parts["label"], parts["batch"])
    values = found.to_numpy()
    rows = [[name, *map(int, row)] for name, row in zip(found.index, values, strict=True)]
    # Whoever knows the batch alone says the class that has the largest part of its units there.
    alone = float((values / values.sum(axis=1, keepdims=True)).max(axis=0).sum() / len(values))
    return {
        "relation": _relation(values),
        "crossing": {"columns": ["class", *(clean(c) for c in found.columns)], "rows": rows, "n_index": 1},
        "counted": word_of(cells, cells.design.unit) if cells.design.unit else "cell",
        "batch_alone": min(alone, 1.0),
    }


def _relation(values: np.ndarray) -> str:
    if values.shape[1] < 2:
        return "one batch"
    if (values > 0).all():
        return "crossed"
    return "nested" if ((values > 0).sum(axis=0) == 1).all() else "partly crossed"


def _controls(cells: Cells) -> dict[str, Any]:
    if cells.design.control is None:
        return {"n_controls": None, "n_batches_with_controls": None}
    controls = cells.controls.to_numpy()
    held = int(cells.batches_of[controls].nunique()) if cells.design.batch else None
    return {"n_controls": int(controls.sum()), "n_batches_with_controls": held}


def _plain(finding: Finding) -> dict[str, Any]:
    return fields_of(finding)


def counted(n: int | None, word: str | None) -> str:
    """Return "12 wells", or that it is not known."""
    return "not known" if n is None else count(n, word or "unit", plural(word or "unit"))
