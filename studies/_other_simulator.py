"""A second simulator, for checks of what was built beside the first: other cells, other light, other plates.

Ellipses with a nucleus and a speckled body in two channels, on an uneven background, counted with Poisson noise in
12 bits; wells at random places of plates, each with staining and background of its own. Nothing is shared with
`mlscope_nb.datasets.simulate`: neither code nor sizes nor statistics.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mlscope_nb.cells import Cells

SIZE, FIELD = 56, 2048
CLASSES = ("untreated", "drugA", "drugB", "drugC")


@dataclass(frozen=True)
class Plan:
    """What is planted: each 0 or none by default, all of it tied to `tied`.

    ``phenotype`` makes the speckles of drugA coarser, and those of drugB sit at one pole (both leave size and light).
    """

    tied: str = "drugC"
    phenotype: float = 1.0
    mark: float = 0.0
    haze: float = 0.0
    size: float = 0.0
    place: float = 0.0
    gradient: float = 0.0
    copies: float = 0.0
    swapped: int = 0
    nested: bool = False


def study(
    seed: int, plan: Plan | None = None, *, plates: int = 4, rows: int = 4, columns: int = 6, n: int = 20
) -> Cells:
    """Return a study of `plates` plates of `rows` × `columns` wells with `n` cells each."""
    plan = plan or Plan()
    rng = np.random.default_rng([seed, 77])
    obs, images, masks = [], [], []
    for p in range(plates):
        given = rng.permutation(np.resize(np.array(CLASSES, object), rows * columns))
        if plan.nested and p > 0:
            given[given == plan.tied] = CLASSES[0]
        true = given.copy()
        if p < plan.swapped:
            a, b = (rng.choice(np.flatnonzero(given == c)) for c in CLASSES[1:3])
            true[[a, b]] = true[[b, a]]
        light, floor = rng.lognormal(0, 0.15, 2), rng.lognormal(np.log(60), 0.2, 2)
        for w in range(rows * columns):
            drift = 1 + plan.gradient * ((w % columns) / (columns - 1) - 0.5)
            well_light = light * rng.lognormal(0, 0.05, 2) * drift
            name = f"{chr(65 + w // columns)}{w % columns + 1:02d}"
            for _ in range(n):
                y = rng.random() ** (1 / (1 + plan.place * (true[w] == plan.tied)))
                place = np.array([y, rng.random()]) * (FIELD - SIZE) + SIZE / 2
                image, mask = _cell(rng, str(true[w]), plan, well_light, floor * rng.lognormal(0, 0.04, 2), place)
                images.append(image)
                masks.append(mask)
                obs.append((f"plate {p + 1}", name, given[w], *place))
    table = pd.DataFrame(obs, columns=["plate", "well", "compound", "y_px", "x_px"])
    table.index = pd.Index([f"cell{i:05d}" for i in range(len(table))], name="cell_id")
    pictures = np.stack(images)
    if plan.copies:
        _copy(rng, plan, table, pictures, masks)
    return Cells(
        table, pictures, masks=np.stack(masks), channels=["nucleus", "body"], label="compound", unit=("plate", "well"),
        batch="plate", control={"compound": CLASSES[0]},
    )  # fmt: skip


def swapped_wells(seed: int, plan: Plan, **layout: int) -> set[str]:
    """Return the keys of the wells whose labels were exchanged: those that differ from the same study without."""
    bare = replace(plan, swapped=0)
    if bare == plan:
        return set()
    rng = np.random.default_rng([seed, 77])
    given = rng.permutation(np.resize(np.array(CLASSES, object), layout.get("rows", 4) * layout.get("columns", 6)))
    a, b = (rng.choice(np.flatnonzero(given == c)) for c in CLASSES[1:3])
    columns = layout.get("columns", 6)
    return {f"plate 1 · {chr(65 + w // columns)}{w % columns + 1:02d}" for w in (a, b)}


def _cell(
    rng: np.random.Generator, kind: str, plan: Plan, light: np.ndarray, floor: np.ndarray, place: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    tied = kind == plan.tied
    y, x = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    turn, ratio = rng.uniform(0, np.pi), rng.uniform(0.7, 1.0)
    radius = 13 * rng.lognormal(0, 0.1) * (1 + plan.size * tied)
    u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    distance = np.hypot(u * ratio, v / ratio) / radius
    body = 1 / (1 + np.exp((distance - 1) * 14))
    nucleus = 1 / (1 + np.exp((np.hypot(u, v) / (0.45 * radius) - 1) * 8))
    speckle = _speckles(rng, kind, plan, u, v, radius)
    uneven = 1 + 0.15 * (((place[0] + y) / FIELD - 0.5) ** 2 + ((place[1] + x) / FIELD - 0.5) ** 2)
    shine = rng.lognormal(0, 0.2, 2)
    made = [nucleus * 320 * shine[0], body * (150 + 130 * speckle) * shine[1]]
    if rng.random() < 0.4:
        angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(26, 34)
        other = 1 / (1 + np.exp((np.hypot(x - far * np.cos(angle), y - far * np.sin(angle)) / 10 - 1) * 12))
        made = [m + other * 180 for m in made]
    else:
        other = np.zeros_like(body)
    back = floor * (1 + plan.haze * tied)
    if plan.mark and tied and rng.random() < plan.mark:
        made[0] = made[0] + 40 * ((np.abs(y + SIZE / 2 - 5) < 2) & (np.abs(x - SIZE / 2 + 7) < 4))
    expected = [(m * g + b) * uneven for m, g, b in zip(made, light, back, strict=True)]
    image = np.clip(rng.poisson(np.stack(expected)) + rng.normal(0, 3, (2, SIZE, SIZE)), 0, 4095)
    mask = np.where(body > 0.5, 1, np.where(other > 0.5, 2, 0)).astype(np.uint8)
    return image.astype(np.uint16), mask


def _speckles(
    rng: np.random.Generator, kind: str, plan: Plan, u: np.ndarray, v: np.ndarray, radius: float
) -> np.ndarray:
    """Return twelve spots; coarser and fewer for drugA, at one pole for drugB; their light is the same in sum."""
    few = kind == "drugA" and rng.random() < 0.9 * plan.phenotype
    pole = kind == "drugB" and rng.random() < 0.9 * plan.phenotype
    number, width = (3, 3.0) if few else (12, 1.5)
    found = np.zeros_like(u)
    for _ in range(number):
        r, a = radius * 0.8 * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        if pole:
            a = a / 4
        found += np.exp(-((u - r * np.cos(a)) ** 2 + (v - r * np.sin(a)) ** 2) / (2 * width**2))
    return found * (12 * 1.5**2 * 2 * np.pi * 4) / max(float(found.sum()), 1e-9)


def _copy(
    rng: np.random.Generator, plan: Plan, table: pd.DataFrame, images: np.ndarray, masks: list[np.ndarray]
) -> None:
    """Put the mirror image of some cells in the place of cells of another well of the same class."""
    for k in rng.choice(len(table), int(plan.copies * len(table)), replace=False):
        row = table.iloc[k]
        others = (table["compound"] == row["compound"]) & (
            (table["plate"] != row["plate"]) | (table["well"] != row["well"])
        )
        target = int(rng.choice(np.flatnonzero(others)))
        fresh = rng.normal(0, 3, images[k].shape)
        images[target] = np.clip(images[k][:, :, ::-1] * 1.03 + fresh, 0, 4095).astype(np.uint16)
        masks[target] = masks[k][:, ::-1].copy()
