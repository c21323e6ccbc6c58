"""The statistics of measured cells from which the pitfall laboratory draws: written into the package, with its sha256.

Simulated cells of 24 plates are measured. For 24 features, in standard deviations of control cells of one well: how
cells of a well vary together, how wells of a plate and plates differ beyond that, what each treatment does to a cell
that responds, and what the mark of the planted shortcut does (the same cells rendered with and without it).

.venv/bin/python studies/risks_cell_statistics.py
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import binary_dilation

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb import Cells  # noqa: E402
from mlscope_nb.datasets import simulate  # noqa: E402
from mlscope_nb.features import measure  # noqa: E402
from studies._record import write_atomically  # noqa: E402

PATH = ROOT / "mlscope_nb" / "risks" / "pitfalls" / "cell_statistics.json"
SEED = 300
STUDY = {"n_plates": 24, "wells_per_plate": 8, "cells_per_well": 8, "faults": 0, "duplicates": 0, "rare": 0}
MARKED = "Image_Intensity_CornerIntensity_actin"
FEATURES = [
    "Cells_AreaShape_Area",
    "Cells_AreaShape_Eccentricity",
    "Cells_AreaShape_FormFactor",
    "Nuclei_AreaShape_Area",
    "Nuclei_AreaShape_Eccentricity",
    "Nuclei_AreaShape_Solidity",
    "Nuclei_Intensity_MeanIntensity_DNA",
    "Nuclei_Intensity_StdIntensity_DNA",
    "Nuclei_Texture_DifferenceVariance_DNA_3_00_256",
    "Nuclei_Texture_AngularSecondMoment_DNA_3_02_256",
    "Cytoplasm_Intensity_StdIntensity_DNA",
    "Cytoplasm_Intensity_MassDisplacement_DNA",
    "Cells_Intensity_MeanIntensity_actin",
    "Cells_Intensity_StdIntensity_actin",
    "Cells_Texture_DifferenceVariance_actin_3_00_256",
    "Cells_Texture_Correlation_actin_3_00_256",
    "Nuclei_RadialDistribution_FracAtD_actin_1of4",
    "Cells_Intensity_MeanIntensity_puncta",
    "Cells_Intensity_MaxIntensity_puncta",
    "Cells_Intensity_MassDisplacement_puncta",
    "Cells_RadialDistribution_RadialCV_puncta_3of4",
    "Cells_Correlation_Correlation_DNA_actin",
    "Cells_Neighbors_NumberWithin_50",
    MARKED,
]


def measured(cells: Cells, mark: np.ndarray) -> pd.DataFrame:
    """The features of `measure`, and how much brighter the place of the planted mark is than its surroundings."""
    table = measure(cells, families="all", progress=False)
    actin = np.concatenate([batch.images for batch in cells.batches(200)])[:, list(cells.channels).index("actin")]
    around = binary_dilation(mark, iterations=3) & ~binary_dilation(mark)
    contrast = np.median(actin[:, mark], axis=1) - np.median(actin[:, around], axis=1)
    return table.assign(**{MARKED: contrast})[FEATURES].astype(float)


def between(means: pd.DataFrame, error: np.ndarray) -> np.ndarray:
    """Covariance of groups beyond the error of their means, with no negative variance in any direction."""
    values, vectors = np.linalg.eigh(np.cov(means.to_numpy().T) - error)
    return (vectors * np.clip(values, 0, None)) @ vectors.T


def statistics() -> dict[str, object]:
    """Measure the cells and take their statistics."""
    cells, truth = simulate(**STUDY, seed=SEED, shortcut=0.5, tied_to="clustered")
    ids = list(cells.ids[truth.obs["shortcut"].to_numpy(bool)])
    images, bare = np.array(cells.images), np.asarray(truth.render(ids, without="shortcut"))
    rows = cells.ids.get_indexer(ids)
    added = np.abs(images[rows].astype(float) - bare).mean(axis=(0, 1))
    mark = added > added.max() / 2
    images[rows] = bare
    table = measured(cells, mark)
    plain = measured(Cells(cells.obs, images, masks=cells.masks, compartments=cells.compartments,
                           channels=cells.channels), mark)  # fmt: skip
    treatment, plate = cells.obs["treatment"].astype(str), cells.obs["plate"].astype(str)
    controls = (treatment == "DMSO").to_numpy()
    low, high = plain.quantile(0.01), plain.quantile(0.99)
    clipped = plain.clip(low, high, axis=1)
    centred = clipped - clipped.groupby(cells.units).transform("mean")
    n = STUDY["cells_per_well"]
    spread = centred[controls].std() * np.sqrt(n / (n - 1))
    z = (clipped - clipped[controls].median()) / spread
    inside = np.cov(((centred / spread)[controls]).to_numpy().T) * n / (n - 1)
    wells = z[controls].groupby(cells.units[controls]).mean()
    plate_of = plate[controls].groupby(cells.units[controls]).first()
    plates = wells.groupby(plate_of).mean()
    k = int(plate_of.value_counts().iloc[0])
    well = between(wells - wells.groupby(plate_of).transform("mean"), inside / n * (k - 1) / k) * k / (k - 1)
    middle = plates.reindex(plate).set_axis(z.index)
    responder = truth.obs["responder"].to_numpy(bool)
    effects = {
        name: ((z - middle)[(treatment == name).to_numpy() & responder].mean()).tolist()
        for name in sorted(set(treatment) - {"DMSO"})
    }
    return {
        "features": FEATURES, "cell": inside.tolist(), "well": well.tolist(),
        "plate": between(plates, well / k + inside / (n * k)).tolist(), "effects": effects,
        "mark": ((table - plain).loc[ids].mean() / spread).tolist(),
    }  # fmt: skip


def rounded(value: object) -> object:
    """Four decimals: cells vary by one."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    warnings.simplefilter("ignore", UserWarning)
    text = json.dumps(rounded(statistics()))
    write_atomically(PATH, text + "\n")
    print(hashlib.sha256(PATH.read_bytes()).hexdigest(), len(text), "characters")
