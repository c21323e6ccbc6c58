"""One detector for each effect of the simulator: a number per cell, and the two groups it should tell apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.stats import rankdata

from mlscope_nb.datasets.simulator.layout import Plate
from studies._seen import Floats, Seen


def auroc(score: Floats, positive: Floats, negative: Floats) -> float:
    """Area under the curve for two groups of rows; NaN scores are left out."""
    ok = np.isfinite(score)
    a, b = score[positive & ok], score[negative & ok]
    if not len(a) or not len(b):
        return float("nan")
    ranks = rankdata(np.r_[a, b])[: len(a)]
    return float((ranks.mean() - (len(a) + 1) / 2) / len(b))


Detector = Callable[[Seen, Seen], float]


def plates(planted: Callable[[Plate], float], score: Callable[[Seen], Floats]) -> Detector:
    """The plate where the plan of the seed has more of something, against the other plate."""

    def detect(seen: Seen, _: Seen) -> float:
        first = (seen.obs["plate"] == "P1").to_numpy()
        one, two = (planted(plate) for plate in seen.plan.plates[:2])
        return auroc(seen.score(score), first == (one > two), first != (one > two))

    return detect


def labels(name: str, score: Callable[[Seen], Floats]) -> Detector:
    def detect(seen: Seen, _: Seen) -> float:
        given = seen.obs["label"].to_numpy()
        return auroc(seen.score(score), given == name, given == "DMSO")

    return detect


def fault(name: str, score: Callable[[Seen], Floats]) -> Detector:
    def detect(seen: Seen, _: Seen) -> float:
        return auroc(seen.score(score), seen.struck == name, seen.struck == "none")

    return detect


def against_base(score: Callable[[Seen], Floats]) -> Detector:
    """The cells of the study against those of a study without any effect, of another seed."""

    def detect(seen: Seen, base: Seen) -> float:
        scores = np.r_[seen.score(score), base.score(score)]
        first = np.arange(len(scores)) < len(seen.obs)
        return auroc(scores, first, ~first)

    return detect


def _well(seen: Seen, _: Seen) -> float:
    """Wells of the inner rows and one column, two by two: no layout effect can tell them apart."""
    found = []
    for plate in (0, 1):
        for column in (1, 2):
            one, two = (seen.plan.well(plate, 4 * row + column) for row in (1, 2))
            more, less = (one, two) if one.gain[2] > two.gain[2] else (two, one)
            units = np.asarray(seen.obs["plate"] + seen.obs["well"])
            found.append(auroc(seen.haze, units == more.plate_name + more.name, units == less.plate_name + less.name))
    return float(np.mean(found))


def _edge_wells(seen: Seen, _: Seen) -> float:
    inner = seen.obs["column"].isin([2, 3])
    rim = seen.obs["row"].isin(["A", "D"])
    return auroc(seen.haze, (inner & rim).to_numpy(), (inner & ~rim).to_numpy())


def _layout_gradient(seen: Seen, _: Seen) -> float:
    column = seen.obs["column"].to_numpy()
    return auroc(seen.haze, column == 4, column == 1)


def _illumination(seen: Seen, _: Seen) -> float:
    far = np.hypot(seen.obs["y_px"] / 512 - 1, seen.obs["x_px"] / 512 - 1).to_numpy()
    level = pd.Series(seen.background[:, 1])
    level = (level / level.groupby(seen.obs["plate"].to_numpy()).transform("median")).to_numpy()
    return auroc(-level, far > 0.8, far < 0.45)


def _crowding(seen: Seen, _: Seen) -> float:
    around = np.asarray(seen.cells.masks).max((1, 2)) - 1
    return auroc(-seen.cell_shape["Area"], around >= 2, around == 0)


def _softness(seen: Seen) -> Floats:
    return seen.softness


def _disagreement(seen: Seen) -> Floats:
    """How rare a cell's label is in its well."""
    counts = seen.obs.groupby(["plate", "well", "label"])["label"].transform("size")
    return -(counts / seen.obs.groupby(["plate", "well"])["label"].transform("size")).to_numpy()


def _same_on_plate(seen: Seen) -> Floats:
    """Share of the treated cells of the plate that got the treatment of this cell."""
    treated = seen.obs[seen.obs["treatment"] != "DMSO"]
    share = treated.groupby(["plate", "treatment"]).size() / treated.groupby("plate").size()
    return np.asarray(
        [share.get((p, t), np.nan) for p, t in zip(seen.obs["plate"], seen.obs["treatment"], strict=True)]
    )


def _corner(seen: Seen) -> Floats:
    """Light of the corner where the mark would be, where no cell is."""
    y, x = np.mgrid[:64, :64]
    ring = (np.abs(np.hypot(y - 57, x - 6) - 3) < 1.2)[None] & (seen.away > 3)
    return np.where(ring.sum((1, 2)) > 10, seen.mean(1, ring), np.nan)


def _off_centre(seen: Seen) -> Floats:
    centres = [ndimage.center_of_mass(m) if m.any() else (32.0, 32.0) for m in seen.own]
    return np.hypot(*(np.asarray(centres) - 31.5).T)


def _odd(seen: Seen) -> Floats:
    """Brightest place outside of all cells."""
    return np.where(seen.away > 4, seen.light.max(1), 0).max((1, 2))


DETECTORS: dict[str, dict[str, Detector]] = {
    "strength": {
        "strength (elongated)": labels("elongated", lambda s: s.cell_shape["Eccentricity"]),
        "strength (lobed)": labels("lobed", lambda s: -s.nucleus_shape["FormFactor"]),
        "strength (granular)": labels("granular", lambda s: s.waves(0, s.nucleus)),
        "strength (bundled)": labels("bundled", lambda s: s.waves(1, s.own)),
        "strength (micronucleus)": labels(
            "micronucleus", lambda s: s.peak(0, s.beside_nucleus, 1.5) / np.maximum(s.mean(0, s.nucleus), 1)
        ),
        "strength (clustered)": labels("clustered", lambda s: s.peak(2, s.own, 1.5) / np.maximum(s.mean(2, s.own), 1)),
    },
    "distractors": {"distractors": against_base(lambda s: s.chromocentre)},
    "rare": {"rare": against_base(lambda s: s.pinch)},
    "crowding": {"crowding": _crowding},
    "plate_size": {"plate_size": plates(lambda p: p.size, lambda s: s.cell_shape["Area"])},
    "plate_gain": {"plate_gain": plates(lambda p: p.gain[0], lambda s: s.dna)},
    "plate_background": {
        "plate_background": plates(lambda p: p.background[1], lambda s: np.round(s.background[:, 1] / s.lit))
    },
    "plate_blur": {"plate_blur": plates(lambda p: p.blur, _softness)},
    "plate_illumination": {"plate_illumination": _illumination},
    "well": {"well": _well},
    "edge_wells": {"edge_wells": _edge_wells},
    "layout_gradient": {"layout_gradient": _layout_gradient},
    "blur": {"blur": against_base(_softness)},
    "noise": {"noise": against_base(lambda s: s.unrest)},
    "defocus": {"defocus": fault("defocus", _softness)},
    "saturation": {"saturation": fault("saturation", lambda s: (s.cells.images == 65535).mean((1, 2, 3)))},
    "debris": {"debris": fault("debris", _odd)},
    "empty": {"empty": fault("empty", lambda s: -s.mean(0, s.nucleus))},
    "touching": {"touching": fault("touching", lambda s: s.cell_shape["Area"])},
    "cut": {"cut": fault("cut", _off_centre)},
    "duplicates": {"duplicates": against_base(lambda s: s.likeness[0])},
    "leaked": {"leaked": against_base(lambda s: s.likeness[1])},
    "mislabels": {"mislabels": against_base(_disagreement)},
    "confounding": {"confounding": against_base(_same_on_plate)},
    "shortcut": {"shortcut": labels("micronucleus", _corner)},
    "density": {"density": labels("micronucleus", lambda s: -s.obs["cell_count"].to_numpy(float))},
    "position": {"position": labels("micronucleus", lambda s: s.obs["y_px"].to_numpy())},
    "class_size": {"class_size": labels("micronucleus", lambda s: s.cell_shape["Area"])},
}
