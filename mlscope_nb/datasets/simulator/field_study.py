"""A simulated study of whole fields of view, and its answer key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb.datasets.simulator.doses import LATEST, Preset
from mlscope_nb.datasets.simulator.field import FieldPictures, FieldPlan, field_fault, make_fields
from mlscope_nb.datasets.simulator.plan import Plan, make_plan
from mlscope_nb.datasets.simulator.study import CHANNELS, DESIGN, PIXEL_SIZE_UM, asked, described, true_obs
from mlscope_nb.datasets.simulator.truth import Truth
from mlscope_nb.fields import Fields

_CROP = 64  # the size of the crops whose cells these are


def simulate_fields(
    n_plates: int = 6,
    wells_per_plate: int = 16,
    cells_per_well: int = 40,
    seed: int = 0,
    *,
    fields_per_well: int = 1,
    field_size: int = 400,
    version: int = LATEST,
    doses: Preset = "default",
    tied_to: str = "micronucleus",
    **dose: float | Sequence[float],
) -> tuple[Fields, Truth]:
    """Simulate whole fields of view with masks: the cells of `simulate` side by side, in real neighbourhoods.

    Defocus, saturation, debris and emptiness strike whole fields; cells touch and are cut by the edge as it happens.
    Sparse wells hold fewer cells than `cells_per_well`. Copies and labels of single cells do not apply.

    Parameters
    ----------
    n_plates, wells_per_plate, cells_per_well, seed, version, doses, tied_to, **dose
        As in `simulate`.
    fields_per_well : int
        Fields that share the cells of a well.
    field_size : int
        Width and height of a field in pixels, 128 or more. The default study takes about 220 MB.

    Returns
    -------
    Fields
        16 bit, three channels, masks and nuclei numbered from 1 in each field.
    Truth
        ``obs``: one row per cell with ``field_id`` and ``object`` (its number in the masks); ``fields``: the fault of
        each field; an empty field has no cells. ``cues`` and ``render`` show whole fields.

    Raises
    ------
    ValueError, TypeError
        A number out of range, or a dose that does not exist.

    Examples
    --------
    >>> fields, truth = simulate_fields(1, 2, 5, seed=3, field_size=128, faults=0)
    >>> fields.images[0].shape, int(fields.masks[0].max()) <= 5
    ((3, 128, 128), True)
    """
    sizes = {"n_plates": n_plates, "wells_per_plate": wells_per_plate, "cells_per_well": cells_per_well}
    study = asked(sizes, seed, version, _CROP, doses, tied_to, dose)
    for name, value, low in (("fields_per_well", fields_per_well, 1), ("field_size", field_size, 128)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low or value % 2 * (low > 1):
            raise ValueError(f"{name}={value!r}, expected {'a' if low == 1 else 'an even'} whole number from {low}.")
    plan = make_plan(study)
    planned = make_fields(plan, fields_per_well, field_size)
    pictures = FieldPictures(plan, planned, field_size)
    images, masks, nuclei = [], [], []
    for row in tqdm(range(len(planned)), desc="Drawing fields", unit="field", delay=2, leave=False):
        image, labels, within = pictures.whole(row)
        images.append(image)
        masks.append(labels)
        nuclei.append(within)
    asked_for = {**described(study, version, doses), "fields_per_well": fields_per_well, "field_size": field_size}
    fields = Fields(
        _observed(planned),
        images,
        masks,
        compartments={"nucleus": nuclei},
        channels=CHANNELS,
        pixel_size_um=PIXEL_SIZE_UM,
        history=[{"step": "simulate_fields", **asked_for}],
        **DESIGN,
    )
    known = pd.DataFrame(
        {"fault": [f.fault for f in planned], "shortcut": [f.shortcut for f in planned]}, index=pictures.ids
    )
    return fields, Truth(_true_cells(plan, planned), pictures, known)


def _observed(planned: Sequence[FieldPlan]) -> pd.DataFrame:
    """Return what the microscope and the layout file say about each field."""
    of = [f.well for f in planned]
    return pd.DataFrame(
        {
            "plate": [w.plate_name for w in of],
            "well": [w.name for w in of],
            "row": [w.name[0] for w in of],
            "column": [w.column + 1 for w in of],
            "field": [f.number + 1 for f in planned],
            "treatment": [w.stated for w in of],
            "concentration_um": [w.stated_concentration for w in of],
            "label": [w.stated for w in of],
            "cell_count": [w.cell_count for w in of],
        },
        index=pd.Index([f.field_id for f in planned], dtype=object, name="field_id"),
    )


def _true_cells(plan: Plan, planned: Sequence[FieldPlan]) -> pd.DataFrame:
    """Return the truth about the cells of all fields, in the order of their numbers in the masks."""
    ids = pd.Index([plan.cell_id((c.plate, c.well, c.index)) for c in plan.cells], dtype=object, name="cell_id")
    known = true_obs(plan, ids)
    rows = [
        (plan.cell_id(c.address), f.field_id, number, f.fault, f.shortcut)
        for f in planned
        if field_fault(plan, f).own_light > 0
        for number, c in enumerate(f.cells, start=1)
    ]
    listed = pd.DataFrame(rows, columns=["cell_id", "field_id", "object", "fault", "shortcut"]).set_index("cell_id")
    kept = known.loc[listed.index].drop(columns=["fault", "shortcut"])
    kept["mislabelled"] = kept["swapped_well"]
    return listed.join(kept)
