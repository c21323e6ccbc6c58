"""Fields with known illumination, for studies of the flat field: an independent simulator, and real ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage
from skimage import io as skio

from mlscope_nb.datasets import load_fields
from mlscope_nb.datasets.simulator.doses import LATEST, resolve
from mlscope_nb.datasets.simulator.layout import plate

DSB = Path(__file__).resolve().parents[2] / "shared" / "data" / "dsb2018_subset"


@dataclass(frozen=True)
class Kind:
    """One kind of made-up fields of 256 × 256 pixels; grey values."""

    cells: float = 60  # a field; 60 cover a quarter of it
    radius: float = 9
    dark: float = 100
    level: float = 300  # background
    level_spread: float = 0.0  # log, between fields
    bright: float = 1500
    cell_spread: float = 0.4  # log, between cells
    clumps: bool = False
    dark_cells: bool = False
    bits: int = 16


KINDS = {
    "plain": Kind(),
    "dense (3 of 4 pixels)": Kind(cells=200),
    "background differs between fields": Kind(level_spread=0.4),
    "clumps": Kind(clumps=True),
    "large dark level": Kind(dark=1000, level=200),
    "no dark level": Kind(dark=0),
    "small cells": Kind(cells=150, radius=5),
    "8 bit, dim": Kind(bits=8, level=12, bright=80, dark=4),
    "bright field, dark cells": Kind(dark_cells=True, level=8000),
}


def vignette(size: int, rng: np.random.Generator) -> np.ndarray:
    """Return light that falls off around a centre somewhere in the field, as (1 + a r²) to a power; mean 1."""
    centre, fall, power = rng.uniform(-0.5, 0.5, 2), rng.uniform(0.05, 0.2), rng.choice([1, 2])
    y, x = np.mgrid[0:size, 0:size] / (size - 1) * 2 - 1
    light = (1 + fall * ((y - centre[0]) ** 2 + (x - centre[1]) ** 2)) ** -float(power)
    light *= 1 + rng.uniform(-0.05, 0.05) * x
    return light / light.mean()


def made_up(kind: Kind, n: int, flat: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return fields (N, Y, X) of blurred blobs of many brightnesses, with photon and read noise."""
    return np.stack([_field(kind, flat, rng) for _ in range(n)])


def _field(kind: Kind, flat: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    size, reach = len(flat), 3 * kind.radius
    area = ((size + 2 * reach) / size) ** 2
    if kind.clumps:
        centres = rng.normal(rng.uniform(0, size, 2), size / 5, (rng.poisson(kind.cells), 2))
    else:
        centres = rng.uniform(-reach, size + reach, (rng.poisson(kind.cells * area), 2))
    scene = np.zeros((size, size))
    for cy, cx in centres:
        (ry, rx), a = kind.radius * np.exp(0.2 * rng.normal(size=2)), rng.uniform(0, np.pi)
        rows, columns = (slice(*np.clip([int(c - reach), int(c + reach)], 0, size)) for c in (cy, cx))
        y, x = np.mgrid[rows, columns]
        u = (y - cy) * np.cos(a) + (x - cx) * np.sin(a)
        v = (x - cx) * np.cos(a) - (y - cy) * np.sin(a)
        shape = np.exp(-(((u / ry) ** 2 + (v / rx) ** 2) ** 2))
        scene[rows, columns] += kind.bright * rng.lognormal(0, kind.cell_spread) * shape
    scene = ndimage.gaussian_filter(scene, 1.2)
    level = kind.level * np.exp(kind.level_spread * rng.normal())
    light = level * np.exp(-scene / (4 * kind.bright)) if kind.dark_cells else level + scene
    if rng.random() < 0.05:  # a crumb that saturates
        light[10:20, 30:45] = 1e6
    grey = rng.poisson(light * flat) + kind.dark + rng.normal(0, 5 if kind.bits == 16 else 0.7, scene.shape)
    return np.rint(grey).clip(0, 2**kind.bits - 1).astype(f"uint{kind.bits}")


def true_light(seed: int, size: int) -> np.ndarray:
    """Return the illumination of the first plate of ``simulate_fields(seed=seed)``, mean 1."""
    made = plate(seed, 0, resolve("default", LATEST, {}))
    y, x = np.linspace(-1, 1, size)[:, None], np.linspace(-1, 1, size)[None, :]
    light = 1 - made.vignette * ((y - made.centre[0]) ** 2 + (x - made.centre[1]) ** 2)
    light = np.maximum(light + made.tilt[0] * y + made.tilt[1] * x, 0.2)
    return light / light.mean()


def real() -> dict[str, np.ndarray]:
    """Return real fields (N, Y, X) by name: squares cut from the fly fields, and DSB fluorescence where it is there."""
    found = {}
    fly = load_fields("fly")
    for name in fly.channels:
        images = [np.asarray(image[fly.channel(name)]) for image in fly.images]
        cuts = [i[y : y + 250, x : x + 250] for i in images for y in range(0, 1000, 250) for x in range(0, 1000, 250)]
        found[f"fly {name}, 48 squares of 3 fields"] = np.stack(cuts)
    if DSB.is_dir():
        listed = pd.read_csv(DSB / "meta.csv")
        files = listed.loc[listed["kind"] == "fluorescence", "image"]
        images = [skio.imread(DSB / str(f)) for f in files]
        grey = [i if i.ndim == 2 else i[..., :3].max(axis=2) for i in images]
        size = max({g.shape for g in grey}, key=[g.shape for g in grey].count)
        same = [g for g in grey if g.shape == size]
        found[f"DSB 2018 fluorescence, {len(same)} fields of {size[0]} × {size[1]}"] = np.stack(same)
    return found
