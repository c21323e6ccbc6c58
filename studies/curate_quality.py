"""How well scores of quality find planted faults, and how well focus tells real fields in focus from those out of it.

Cells: AUROC and average precision of each score at the default prevalence (2 % of cells with each of six faults) and
default doses, other faults among the negatives; the share of a clean study that is flagged by default.

Fields: real pictures (the embedded fly fields; Data Science Bowl 2018 fluorescence where ../shared/data is there), as
they are and through the disc of a defocused lens, each with its own exposure, gain, photon and read noise; ranks are
compared across different fields of one microscope. Peer, as a caution: the variance of the raw Laplacian.

.venv/bin/python studies/curate_quality.py [n_seeds] [n_clean_seeds]
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage
from skimage import io as skio
from sklearn.metrics import average_precision_score, roc_auc_score

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb import Cells, Fields  # noqa: E402
from mlscope_nb.curate import flag_quality, score_quality  # noqa: E402
from mlscope_nb.datasets import load_fields, simulate  # noqa: E402
from mlscope_nb.study import t_interval  # noqa: E402
from studies._record import record  # noqa: E402

FIRST_SEED = 2100
DSB = ROOT.parent / "shared" / "data" / "dsb2018_subset"
FAULTS = {"focus": "defocus", "saturation": "saturation", "empty": "empty", "touching": "touching"} | {
    "debris": "debris",
    "cut": "cut",
    "any_fault": "any",
}
DISCS = (2.5, 4.0, 6.0, 10.0)  # radius in pixels
PEER = "variance of the raw Laplacian"


def of_seed(seed: int) -> dict[str, float]:
    """Return the figures of one default study."""
    cells, truth = simulate(seed=seed)
    start = time.process_time()
    scores = score_quality(cells, progress=False)
    row = {"ms per cell (processor time)": (time.process_time() - start) / len(cells) * 1000}
    fault = truth.obs["fault"].to_numpy()
    scores[PEER] = laplacian(cells)
    for name, struck in {**FAULTS, PEER: "defocus"}.items():
        bad = fault != "none" if struck == "any" else fault == struck
        badness = scores[name] * (-1 if name in ("focus", PEER) else 1)
        row[f"{name}: AUROC"] = roc_auc_score(bad, badness)
        row[f"{name}: AP"] = average_precision_score(bad, badness)
        row[f"{name}: prevalence"] = bad.mean()
    flags = flag_quality(scores, cells)["flagged"].to_numpy()
    row["flagged among cells without a fault"] = flags[fault == "none"].mean()
    for name in np.unique(fault[fault != "none"]):
        row[f"flagged among {name}"] = flags[fault == name].mean()
    return row


def of_clean_seed(seed: int) -> dict[str, float]:
    """Return how much of a study without faults is flagged, and what gain and offset do to focus."""
    cells, _ = simulate(3, seed=seed, faults=0)
    scores = score_quality(cells, progress=False)
    row = {"flagged in a clean study": flag_quality(scores, cells)["flagged"].mean()}
    some = cells.subset(cells.ids[::6])
    plain = score_quality(some, progress=False)["focus"]
    for name, gain, offset in (("gain x 2", 2, 0), ("offset + 1000", 1, 1000)):
        images = np.asarray(some.images[:]).astype(np.float64) * gain + offset
        changed = Cells(some.obs, images, masks=some.masks, channels=some.channels, batch="plate")
        focus = score_quality(changed, progress=False)["focus"]
        row[f"largest change of focus under {name}"] = (focus / plain - 1).abs().max()
    return row


def laplacian(cells: Cells) -> np.ndarray:
    """Variance of the Laplacian of each crop as it is, mean of the channels."""
    found = [ndimage.laplace(b.images.astype(float), axes=(2, 3)).var((2, 3)).mean(1) for b in cells.batches(250)]
    return np.concatenate(found)


def microscopes() -> dict[str, list[np.ndarray]]:
    """Return real fields (Y, X) by the microscope that took them."""
    fly = load_fields("fly")
    # a field of 1000 pixels gives four pictures, each with other cells
    found = {
        f"fly, {name}": [q for i in fly.images for q in _quarters(np.asarray(i[c]))]
        for c, name in enumerate(fly.channels)
    }
    if not DSB.is_dir():
        print("../shared/data/dsb2018_subset is not there: fly fields alone.")
        return found
    listed = pd.read_csv(DSB / "meta.csv").query("kind == 'fluorescence' and n_nuclei >= 3")
    for (height, width), rows in listed.groupby(["h", "w"]):
        images = [skio.imread(DSB / str(f), as_gray=False) for f in rows["image"]]
        found[f"DSB 2018, {height} × {width}"] = [i[..., 0] if i.ndim == 3 else i for i in images]
    return found


def _quarters(image: np.ndarray) -> list[np.ndarray]:
    y, x = (s // 2 for s in image.shape)
    return [image[:y, :x], image[:y, x:], image[y:, :x], image[y:, x:]]


def photographed(image: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Return 16-bit grey values of a field through a lens out of focus: photons are counted after the blur."""
    light = np.maximum(image - np.percentile(image, 20), 0).astype(float)
    light /= max(float(np.percentile(light, 99.8)), 1.0)
    if radius:
        n = int(np.ceil(radius)) + 1
        y, x = np.mgrid[-n : n + 1, -n : n + 1]
        disc = np.clip(radius + 0.5 - np.hypot(y, x), 0, 1)
        light = ndimage.convolve(light, disc / disc.sum(), mode="nearest")
    brightest, share = np.exp(rng.uniform(np.log(150), np.log(4000))), rng.uniform(0.02, 0.2)
    electrons = rng.poisson(light * brightest + share * brightest) + rng.normal(0, 4, light.shape)
    return np.clip(np.round(200 + rng.uniform(0.5, 4) * electrons), 0, 65535).astype(np.uint16)


def of_fields(seed: int) -> dict[str, dict[str, float]]:
    """Return AUROC of each microscope, for each radius, of focus and of the peer."""
    rng = np.random.default_rng(seed)
    figures: dict[str, dict[str, float]] = {}
    for name, images in microscopes().items():
        radii = [0.0, *DISCS]
        pictures = [[photographed(i, r, rng)[None] for i in images] for r in radii]
        focus = [_focus(p) for p in pictures]
        raw = [np.array([ndimage.laplace(i[0].astype(float)).var() for i in p]) for p in pictures]
        row: dict[str, float] = {"fields": len(images)}
        for k, radius in enumerate(DISCS, start=1):
            row[f"focus, disc of {radius} px"] = _auroc(focus[0], focus[k])
        row["focus, discs of 4 to 10 px"] = _auroc(focus[0], np.concatenate(focus[2:]))
        row[f"{PEER}, discs of 4 to 10 px"] = _auroc(raw[0], np.concatenate(raw[2:]))
        figures[name] = row
    return figures


def _focus(pictures: list[np.ndarray]) -> np.ndarray:
    ids = pd.DataFrame(index=[f"f{i}" for i in range(len(pictures))])
    return score_quality(Fields(ids, pictures), progress=False)["focus"].to_numpy()


def _auroc(sharp: np.ndarray, blurred: np.ndarray) -> float:
    truth = np.r_[np.zeros(len(sharp)), np.ones(len(blurred))]
    return float(roc_auc_score(truth, -np.r_[sharp, blurred]))


def summary(rows: list[dict[str, float]]) -> dict[str, object]:
    """Return mean, interval over seeds and the worst seed of each figure."""
    figures: dict[str, object] = {"seeds": len(rows)}
    for name, values in pd.DataFrame(rows).items():
        interval = t_interval(values.to_numpy())
        ends = [interval.low, interval.high] if interval.known else "too few seeds"
        figures[str(name)] = {"mean": interval.estimate, "95 % interval": ends, "range": [values.min(), values.max()]}
    return figures


def main(n_seeds: int = 5, n_clean: int = 3) -> None:
    warnings.simplefilter("ignore", UserWarning)
    fields = of_fields(FIRST_SEED)
    table = pd.DataFrame(fields).T
    fields["mean of microscopes"] = table.drop(columns="fields").mean().to_dict()
    print(table.round(3).to_string(), flush=True)
    rows = []
    for seed in range(FIRST_SEED, FIRST_SEED + n_seeds):
        rows.append(of_seed(seed))
        print(seed, {k: round(float(v), 3) for k, v in rows[-1].items()}, flush=True)
    clean = [of_clean_seed(seed) for seed in range(FIRST_SEED + 500, FIRST_SEED + 500 + n_clean)]
    what = "6 plates × 16 wells × 40 cells, default doses, 2 % with each of six faults; negatives: all others"
    record(
        "curate_quality",
        {
            "what": what,
            "first seed": FIRST_SEED,
            "planted faults": summary(rows),
            "clean studies": summary(clean),
            "real fields, blurred, new camera noise: AUROC across fields": fields,
        },
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
