"""Duplicates: precision and recall on planted copies of simulated, toy and real cells; hashing beside; 100,000 cells.

Pairs are counted, all pairs of a group among them. Perceptual hashes are by the package imagehash (pHash: 8 × 8 low
waves of the cosine transform; dHash: 8 × 8 differences), on the mean of the channels in 8 bits; pairs within 10 of 64
bits.

.venv/bin/python studies/curate_duplicates.py [first_seed] [n_seeds] [n_large]          (needs `make peers`)
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from PIL import Image
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from skimage.io import imread

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb import Cells  # noqa: E402
from mlscope_nb.curate import find_duplicates  # noqa: E402
from mlscope_nb.datasets import load, simulate  # noqa: E402
from studies import _peers  # noqa: E402
from studies._record import record  # noqa: E402

SHARED = ROOT.parent / "shared" / "data"
NEAR = 10  # bits, the usual distance of perceptual hashes
TOYS = (  # crop, channels, bits, photons, pixels within which light is spread; cells, copies
    ("48 px, 1 channel, 8 bit", 48, 1, 8, 150, 1.0, 600, 100),
    ("32 px, 1 channel, 12 bit, noisy", 32, 1, 12, 30, 0.8, 600, 100),
    ("64 px, 2 channels, 16 bit", 64, 2, 16, 300, 1.5, 250, 50),
    ("96 px, 4 channels, 12 bit", 96, 4, 12, 80, 1.2, 100, 25),
)


def scored(images: np.ndarray, source: np.ndarray, copy: np.ndarray) -> dict[str, object]:
    """Return precision and recall of pairs by mlscope and by hashes, given which cells are copies of which."""
    group = connected_components(coo_matrix((np.ones(len(source)), (source, copy)), (len(images),) * 2), False)[1]
    cells = Cells(pd.DataFrame(index=[f"{i:06d}" for i in range(len(images))]), images)
    found = find_duplicates(cells)
    pairs = np.stack([cells.ids.get_indexer(found[c]) for c in ("cell_a", "cell_b")], axis=1)
    sizes = np.bincount(group)
    wanted = int((sizes * (sizes - 1) // 2).sum())
    result: dict[str, object] = {"cells": len(images), "pairs": wanted, "mlscope": figures(pairs, group, wanted)}
    peer = _peers.borrow("imagehash")
    for name, hashed in (("pHash", peer.phash), ("dHash", peer.dhash)):
        bits = np.array([hashed(grey(i)).hash.ravel() for i in images])
        result[name] = figures(near_pairs(bits), group, wanted)
    return result


def figures(pairs: np.ndarray, group: np.ndarray, wanted: int) -> dict[str, float]:
    right = int((group[pairs[:, 0]] == group[pairs[:, 1]]).sum())
    precision = right / len(pairs) if len(pairs) else 0.0
    return {"precision": precision, "recall": right / wanted, "false pairs": len(pairs) - right}


def grey(image: np.ndarray) -> Image.Image:
    mean = image.astype(float).mean(axis=0)
    scaled = (mean - mean.min()) / max(mean.max() - mean.min(), 1e-9)
    return Image.fromarray(np.rint(255 * scaled).astype(np.uint8))


def near_pairs(bits: np.ndarray) -> np.ndarray:
    signs = 2.0 * bits.astype(np.float32) - 1
    found = [np.zeros((0, 2), int)]
    for start in range(0, len(bits), 1000):
        distance = (bits.shape[1] - signs[start : start + 1000] @ signs.T) / 2
        a, b = np.nonzero(distance <= NEAR)
        found.append(np.stack([a + start, b], axis=1)[a + start < b])
    return np.concatenate(found)


def planted(images: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return real cells with copies of some: moved up to 1 px, turned, ±5 % gain, noise like their own once more."""
    source = rng.choice(len(images), min(n, len(images) // 4), replace=False)
    copies = np.stack([taken_again(images[i], rng) for i in source])
    return np.concatenate([images, copies]), source, len(images) + np.arange(len(source))


def taken_again(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    light = image.astype(float)
    rough = np.array([np.median(np.abs(ndimage.laplace(c))) / (0.6745 * np.sqrt(20)) for c in light])
    shift = rng.uniform(-1, 1, 2)
    moved = np.stack([ndimage.shift(c, shift, order=3, mode="nearest") for c in light]) * rng.uniform(0.95, 1.05)
    moved = dihedral(moved, int(rng.integers(8)))
    noisy = moved + rough[:, None, None] * rng.normal(size=moved.shape)
    ends = np.iinfo(image.dtype)
    return np.rint(noisy).clip(ends.min, ends.max).astype(image.dtype)


def dihedral(image: np.ndarray, turn: int) -> np.ndarray:
    return np.rot90(image[..., ::-1] if turn >= 4 else image, turn % 4, (-2, -1))


def toy(kind: tuple, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return cells of another simulator: star-shaped outlines with a grain, drawn three times finer than the pixels."""
    _, size, n_channels, bits, photons, spread, n, n_copies = kind
    seeds = rng.integers(2**32, size=n)
    source = rng.choice(n, n_copies, replace=False)
    one = [(s, (0, 0), 1.0, 0) for s in seeds]
    two = [(seeds[i], rng.integers(-3, 4, 2), rng.uniform(0.95, 1.05), int(rng.integers(8))) for i in source]
    images = []
    for seed, shift, gain, turn in [*one, *two]:
        light = gain * photons * star(int(seed), size, n_channels, shift, spread) + 5
        electrons = rng.poisson(light) + rng.normal(0, 2, light.shape)
        per_electron = (2**bits - 1) / (6 * photons + 40)
        counts = np.rint(20 + per_electron * electrons).clip(0, 2**bits - 1)
        images.append(dihedral(counts, turn).astype(np.uint8 if bits == 8 else np.uint16))
    return np.stack(images), source, n + np.arange(n_copies)


def star(seed: int, size: int, n_channels: int, shift: tuple[int, int], spread: float) -> np.ndarray:
    """Return the light (C, Y, X) of one cell and a neighbour; shift in thirds of a pixel."""
    rng = np.random.default_rng(seed)
    fine = 3 * size
    light = np.zeros((n_channels, fine, fine))
    for middle, radius in ((fine / 2 + rng.normal(0, 2, 2), 0.27), (fine * rng.uniform(0, 1, 2), 0.2)):
        y, x = (np.arange(fine) - m for m in middle + np.asarray(shift))
        angle, distance = np.arctan2(y[:, None], x[None]), np.hypot(y[:, None], x[None])
        waves = np.arange(2, 7)
        edge = fine * radius * rng.uniform(0.8, 1.2)
        rough = rng.normal(0, 0.25 / waves, (2, 5))
        outline = edge * (1 + np.einsum("kyx,k->yx", np.cos(waves[:, None, None] * angle), rough[0]))
        outline += edge * np.einsum("kyx,k->yx", np.sin(waves[:, None, None] * angle), rough[1])
        inside = distance < outline
        for light_of in light:
            grain = ndimage.gaussian_filter(rng.normal(size=(fine, fine)), 3 * rng.uniform(1.5, 4), mode="wrap")
            grain = np.roll(grain / grain.std(), tuple(shift), (0, 1))
            light_of += inside * rng.uniform(0.5, 1.5) * np.maximum(1 + 0.4 * grain, 0)
    blurred = ndimage.gaussian_filter(light, (0, 3 * spread, 3 * spread))
    return blurred.reshape(n_channels, size, 3, size, 3).mean(axis=(2, 4))


def real() -> Iterator[tuple[str, np.ndarray]]:
    """Yield real crops: fly (8 bit, 3 channels), Jurkat (16 bit, 3 channels), and nuclei in fluorescence (8 bit)."""
    yield "fly", np.asarray(load("fly").images)
    if not SHARED.is_dir():
        return
    crops = np.load(SHARED / "jurkat_cellcycle_small" / "images.npz")["X"]
    # the set itself holds cells that are the same byte for byte
    yield "Jurkat", crops[np.unique(crops.reshape(len(crops), -1), axis=0, return_index=True)[1]]
    yield "DSB 2018 nuclei in fluorescence", nuclei(SHARED / "dsb2018_subset")


def nuclei(folder: Path, size: int = 32) -> np.ndarray:
    """Return windows (N, 1, Y, X) around the nuclei of the fields in fluorescence: smooth, alike, one channel."""
    windows = []
    for field in pd.read_csv(folder / "meta.csv").query("kind == 'fluorescence'").itertuples():
        image, labels = imread(folder / field.image), imread(folder / field.mask)
        light = np.pad(image if image.ndim == 2 else image[..., 0], size // 2, constant_values=int(np.median(image)))
        known = np.unique(labels[labels > 0])
        middles = np.rint(ndimage.center_of_mass(labels > 0, labels, known)).astype(int).reshape(-1, 2)
        windows += [light[None, y : y + size, x : x + size] for y, x in middles]
    return np.stack(windows)


def of_simulator(seed: int, **doses: float) -> dict[str, object]:
    cells, truth = simulate(seed=seed, **doses)
    of = truth.obs["duplicate_of"]
    copy = np.flatnonzero(of.notna().to_numpy())
    return scored(np.asarray(cells.images), cells.ids.get_indexer(of.iloc[copy]), copy)


def many(n: int, n_channels: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return n crops of 64 × 64 pixels quickly: six blobs each, 2 % of them copies by whole pixels."""
    size, blobs, pool = 64, 6, rng.normal(size=1 << 22).astype(np.float32)
    images = np.empty((n, n_channels, size, size), np.uint16)
    for start in range(0, n, 1000):
        m = min(1000, n - start)
        middle, wide = rng.uniform(0.28 * size, 0.72 * size, (2, m, blobs, 1)), rng.uniform(2, 9, (2, m, blobs, 1))
        down, across = np.exp(-((np.arange(size) - middle) ** 2) / (2 * wide**2)).astype(np.float32)
        height = rng.uniform(50, 400, (m, n_channels, 1, blobs)).astype(np.float32)
        light = (down.swapaxes(1, 2)[:, None] * height) @ across[:, None] + 60
        at = rng.integers(len(pool) - light[0].size, size=(m, 1)) + np.arange(light[0].size)
        images[start : start + m] = 200 + 4 * (light + np.sqrt(light) * pool[at].reshape(light.shape))
    n_copies = n // 50
    source, copy = rng.choice(n - n_copies, n_copies, replace=False), n - n_copies + np.arange(n_copies)
    for i, j in zip(source, copy, strict=True):
        moved = np.roll(dihedral(images[i], int(rng.integers(8))), rng.integers(-1, 2, 2), (1, 2))
        light = np.maximum(moved - 200.0, 0) * rng.uniform(0.95, 1.05)
        images[j] = np.maximum(200 + light + 2 * np.sqrt(light) * rng.normal(size=light.shape), 0)
    return images, source, copy


@contextmanager
def watched(into: dict[str, object]) -> Iterator[None]:
    """Write wall and processor seconds and the memory taken on top of what was there."""
    process, done = psutil.Process(), threading.Event()
    before = most = process.memory_info().rss

    def watch() -> None:
        nonlocal most
        while not done.wait(0.05):
            most = max(most, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    into |= {"seconds": time.perf_counter() - wall, "processor seconds": time.process_time() - cpu}
    done.set()
    watcher.join()
    into["memory on top of the images, MB"] = (most - before) / 1e6


def large(n: int, n_channels: int) -> dict[str, object]:
    images, source, copy = many(n, n_channels, np.random.default_rng(0))
    cells = Cells(pd.DataFrame(index=[f"{i:06d}" for i in range(n)]), images)
    figures: dict[str, object] = {"what": f"{n:,} crops of 64 × 64 × {n_channels}, uint16", "cores": os.cpu_count()}
    with watched(figures):
        found = find_duplicates(cells)
    wanted = set(zip(cells.ids[source], cells.ids[copy], strict=True))
    right = len(wanted & set(zip(found["cell_a"], found["cell_b"], strict=True)))
    figures |= {"recall": right / len(wanted), "precision": right / max(len(found), 1)}
    return figures


def main(first_seed: int = 2000, n_seeds: int = 3, n_large: int = 100_000) -> None:
    seeds = range(first_seed, first_seed + n_seeds)
    results: dict[str, object] = {"peers": _peers.versions("imagehash")}
    for seed in seeds:
        results[f"simulator, default doses, seed {seed}"] = of_simulator(seed)
    last = seeds.stop
    harder = {"duplicates": 0.05, "leaked": 0.05, "noise": 2.0}
    what = "simulator, noise 2, 5 % copies in the well, 5 % elsewhere"
    results[f"{what}, seed {last}"] = of_simulator(last, n_plates=3, **harder)
    rng = np.random.default_rng(first_seed)
    for kind in TOYS:
        results[f"other simulator, {kind[0]}"] = scored(*toy(kind, rng))
    for name, images in real():
        results[f"{name}, real cells with copies"] = scored(*planted(images, 300, rng))
    for name, result in results.items():
        print(name, result, flush=True)
    record("curate_duplicates", results)
    for n_channels in (1, 3):
        results[f"{n_large:,} cells, {n_channels} channels"] = large(n_large, n_channels)
        print(results[f"{n_large:,} cells, {n_channels} channels"], flush=True)
    record("curate_duplicates", results)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
