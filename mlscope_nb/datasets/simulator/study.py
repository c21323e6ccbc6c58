"""A whole simulated study: plates of wells of cells, and its answer key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mlscope_nb.cells import Cells
from mlscope_nb.datasets.simulator.doses import LATEST, Preset, resolve
from mlscope_nb.datasets.simulator.layout import CLASSES, CONTROL, FORMATS
from mlscope_nb.datasets.simulator.plan import CELLS_PER_FIELD, CellPlan, Plan, Study, make_plan
from mlscope_nb.datasets.simulator.render import cell_fault, place, render
from mlscope_nb.datasets.simulator.truth import CropPictures, Truth

CHANNELS = ("DNA", "actin", "puncta")
PIXEL_SIZE_UM = 0.65
SMALLEST = 48


def simulate(
    n_plates: int = 6,
    wells_per_plate: int = 16,
    cells_per_well: int = 40,
    seed: int = 0,
    *,
    version: int = LATEST,
    size: int = 64,
    doses: Preset = "default",
    tied_to: str = "micronucleus",
    **dose: float | Sequence[float],
) -> tuple[Cells, Truth]:
    """Simulate a microscopy study of single cells whose every truth is known.

    Plates hold wells, wells hold cells; a quarter of the wells are controls ("DMSO"), the others got one of six
    treatments, to which a part of their cells responds. ``ms.datasets.phenotypes()`` says what each does.

    Parameters
    ----------
    n_plates, wells_per_plate, cells_per_well : int
        Size of the study. A smaller study of the same seed holds the same cells, byte for byte; only the number of
        wells per plate changes the layout.
    seed : int
        0 or more. A cell depends on (seed, plate, well, index) and nothing else.
    version : int
        Version of the default doses; each is frozen, and ``version=1`` draws what it always drew.
    size : int
        Width and height of a crop in pixels, 48 or more.
    doses : {"default", "none"}
        Where to start from: the defaults, or every effect at 0.
    tied_to : str
        The class that `shortcut`, `density`, `position` and `class_size` are tied to.
    **dose : float
        Any dose by name (``ms.datasets.doses()`` lists them), as in ``simulate(shortcut=0.9)``; ``batch`` sets all
        effects of plates, ``faults`` all faults. ``shortcut`` may be one rate per plate.

    Returns
    -------
    Cells
        Three channels, 16 bit, with masks, nuclei and cytoplasm; label, unit (plate and well), batch (plate) and
        controls declared.
    Truth
        What each cell really is; not reachable from the cells.

    Raises
    ------
    ValueError, TypeError
        A number out of range, or a dose that does not exist.

    Examples
    --------
    >>> cells, truth = simulate(n_plates=1, wells_per_plate=4, cells_per_well=3, seed=7, faults=0)
    >>> cells.images.shape, str(cells.design.unit)
    ((12, 3, 64, 64), "('plate', 'well')")
    >>> bool((truth.obs["fault"] == "none").all())
    True
    """
    sizes = {"n_plates": n_plates, "wells_per_plate": wells_per_plate, "cells_per_well": cells_per_well}
    study = asked(sizes, seed, version, size, doses, tied_to, dose)
    plan = make_plan(study)
    n = len(plan.cells)
    images = np.empty((n, len(CHANNELS), size, size), np.uint16)
    masks, nuclei, cytoplasm = (np.empty((n, size, size), np.uint8) for _ in range(3))
    at_edge = np.zeros(n, bool)
    drawn = tqdm(render(plan, plan.cells), desc="Drawing cells", total=n, unit="cell", delay=2, leave=False)
    for i, made in enumerate(drawn):
        at_edge[i] = made.at_edge
        images[i], masks[i], nuclei[i], cytoplasm[i] = made.image, made.mask, made.nucleus, made.cytoplasm
    ids = pd.Index([plan.cell_id((c.plate, c.well, c.index)) for c in plan.cells], dtype=object, name="cell_id")
    cells = Cells(
        _observed(plan, ids, at_edge),
        images,
        masks=masks,
        compartments={"nucleus": nuclei, "cytoplasm": cytoplasm},
        channels=CHANNELS,
        pixel_size_um=PIXEL_SIZE_UM,
        history=[{"step": "simulate", **described(study, version, doses)}],
        **DESIGN,
    )
    return cells, Truth(true_obs(plan, ids), CropPictures(plan, ids))


DESIGN: dict[str, Any] = {
    "label": "label",
    "unit": ("plate", "well"),
    "batch": "plate",
    "treatment": "treatment",
    "control": {"treatment": CONTROL},
}


def asked(
    sizes: dict[str, int], seed: int, version: int, size: int, preset: Preset, tied_to: str, dose: dict[str, Any]
) -> Study:
    """Check what was asked for and return it in one piece."""
    most_wells = FORMATS[-1][0] * FORMATS[-1][1]
    for name, value in {**sizes, "seed": seed, "size": size}.items():
        low = {"seed": 0, "size": SMALLEST, "wells_per_plate": 2}.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"{name}={value!r}, expected a whole number.")
        if value < low:
            raise ValueError(f"{name}={value}, expected {low} or more.")
    if sizes["wells_per_plate"] > most_wells:
        raise ValueError(f"wells_per_plate={sizes['wells_per_plate']}, expected at most {most_wells}.")
    if size % 2:
        raise ValueError(f"size={size}, expected an even number of pixels.")
    if tied_to not in CLASSES:
        raise ValueError(f"tied_to={tied_to!r}, expected one of {', '.join(CLASSES)}.")
    resolved = resolve(preset, version, dose)
    counts = {name: int(value) for name, value in sizes.items()}
    return Study(seed=int(seed), size=int(size), doses=resolved, tied_to=tied_to, **counts)


def described(study: Study, version: int, preset: Preset) -> dict[str, Any]:
    """Return what was asked for, as it goes into the history."""
    return {
        "n_plates": study.n_plates,
        "wells_per_plate": study.wells_per_plate,
        "cells_per_well": study.cells_per_well,
        "seed": study.seed,
        "version": version,
        "size": study.size,
        "doses": preset,
        "tied_to": study.tied_to,
        "changed": study.doses.changed(version) if preset == "default" else study.doses.to_dict(),
    }


def true_obs(plan: Plan, ids: pd.Index) -> pd.DataFrame:
    """Return the table of the answer key."""
    cells = plan.cells
    of = [plan.well(c.plate, c.well) for c in cells]
    return pd.DataFrame(
        {
            "label": [c.label for c in cells],
            "fault": [c.fault for c in cells],
            "duplicate_of": pd.Series([plan.cell_id(c.source) if c.source else None for c in cells], ids, object),
            "mislabelled": [c.given != c.label for c in cells],
            "swapped_well": [w.stated != w.treatment for w in of],
            "responder": [c.responder for c in cells],
            "strength": [c.strength if c.responder else 0.0 for c in cells],
            "shortcut": [c.shortcut for c in cells],
            "phenotype": [c.phenotype for c in cells],
        },
        index=ids,
    )


def _observed(plan: Plan, ids: pd.Index, at_edge: np.ndarray) -> pd.DataFrame:
    """Return what the microscope and the layout file say about each cell."""
    cells: Sequence[CellPlan] = plan.cells
    of = [plan.well(c.plate, c.well) for c in cells]
    places = [place(plan, c, cell_fault(plan, c)) for c in cells]
    return pd.DataFrame(
        {
            "plate": [w.plate_name for w in of],
            "well": [w.name for w in of],
            "row": [w.name[0] for w in of],
            "column": [w.column + 1 for w in of],
            "treatment": [w.stated for w in of],
            "concentration_um": [w.stated_concentration for w in of],
            "label": [c.given for c in cells],
            "cell_count": [w.cell_count for w in of],
            "field_id": [
                f"{w.plate_name}-{w.name}-f{c.index // CELLS_PER_FIELD + 1}" for w, c in zip(of, cells, strict=True)
            ],
            "y_px": [round(y, 1) for y, _ in places],
            "x_px": [round(x, 1) for _, x in places],
            "at_edge": at_edge,
        },
        index=ids,
    )
