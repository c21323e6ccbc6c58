"""Draw the pictures of docs/simulator.md: simulated beside fly cells, each phenotype, each fault.

.venv/bin/python tools/draw_simulator_sheets.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from mlscope_nb import Cells
from mlscope_nb._files import replacing
from mlscope_nb._pictures import channel_colours, composite, contrast_limits
from mlscope_nb.datasets import load, phenotypes, simulate

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
ZOOM, GAP, TEXT = 2, 2, 18


def main() -> None:
    """Draw all three."""
    IMAGES.mkdir(exist_ok=True)
    fly, (simulated, _) = load("fly"), simulate(2, 16, 6, seed=1)
    inside = fly.where("not at_edge and not padded").ids
    rng = np.random.default_rng(0)
    rows = []
    for name, cells, ids in (("fly, real", fly, inside), ("simulated", simulated, simulated.ids)):
        chosen = rng.choice(np.asarray(ids), 10, replace=False)
        pictures = views(cells, chosen)
        for channel, strip in zip(["all", *cells.channels], pictures, strict=True):
            rows.append((f"{name}: {channel}", strip))
    save(rows, "simulator_beside_fly.png")
    save(phenotype_rows(), "simulator_phenotypes.png")
    save(fault_rows(), "simulator_faults.png")


def views(cells: Cells, ids: np.ndarray) -> list[np.ndarray]:
    """A strip of the composite and one of each channel, at one contrast for all cells of the set."""
    limits, images = contrast_limits(cells), cells.subset(list(ids)).images
    strips = [strip(composite(images, limits, channel_colours(cells.channels)))]
    return strips + [grey(images, limits, c) for c in range(len(cells.channels))]


def grey(images: np.ndarray, limits: np.ndarray, channel: int) -> np.ndarray:
    """Draw one channel in grey."""
    return strip(composite(images[:, [channel]], limits[[channel]], ["#ffffff"]))


def strip(pictures: np.ndarray) -> np.ndarray:
    """Lay pictures side by side."""
    padded = np.pad(pictures, ((0, 0), (0, 0), (0, GAP), (0, 0)), constant_values=255)
    return np.concatenate(list(padded), axis=1)


def phenotype_rows() -> list[tuple[str, np.ndarray]]:
    """The five strongest cells of each phenotype in its channel; on the right the same cells without their cue."""
    cells, truth = simulate(1, 24, 12, seed=3, faults=0, rare=0.06)
    limits, rows = contrast_limits(cells), []
    for name, about in phenotypes().iterrows():
        known = truth.obs[truth.obs["phenotype"] == name]
        ids = list(known.sort_values("strength", ascending=False).index[:5])
        channel = cells.channels.index(about["channel"])
        both = [cells.subset(ids).images, truth.render(ids, without="cue")]
        rows.append((f"{name} ({about['channel']}), and the same without", grey(np.concatenate(both), limits, channel)))
    return rows


def fault_rows() -> list[tuple[str, np.ndarray]]:
    """Five cells with each fault; on the right the same cells without it."""
    cells, truth = simulate(1, 16, 20, seed=5, fault_rate=0.1, duplicates=0)
    limits, rows = contrast_limits(cells, high=99), []
    for name in ("defocus", "saturation", "debris", "empty", "touching", "cut"):
        ids = list(truth.ids[truth.obs["fault"] == name][:5])
        both = np.concatenate([cells.subset(ids).images, truth.render(ids, without="fault")])
        rows.append((f"{name}, and the same without", strip(composite(both, limits, channel_colours(cells.channels)))))
    return rows


def save(rows: list[tuple[str, np.ndarray]], name: str) -> None:
    """Write rows under their titles as one PNG."""
    strips = [np.repeat(np.repeat(s, ZOOM, 0), ZOOM, 1) for _, s in rows]
    height = sum(s.shape[0] + TEXT for s in strips)
    page = Image.new("RGB", (max(s.shape[1] for s in strips), height), "white")
    draw, top = ImageDraw.Draw(page), 0
    for (title, _), picture in zip(rows, strips, strict=True):
        draw.text((2, top + 3), title, fill="black")
        page.paste(Image.fromarray(picture), (0, top + TEXT))
        top += TEXT + picture.shape[0]
    page = page.quantize(256, method=Image.Quantize.MEDIANCUT)
    with replacing(IMAGES / name) as part:
        page.save(part, "PNG", optimize=True)
    print(name, f"{(IMAGES / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
