"""What the studies of image networks share: simulated fields with and without noise, and figures of each seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb.datasets import simulate_fields
from mlscope_nb.fields import Fields
from mlscope_nb.predict.images.likeness import likeness
from mlscope_nb.predict.images.scaling import ends
from mlscope_nb.study.intervals import t_interval
from studies._record import record

SIZE_PX = 320
CELLS = 50
WELLS = 6


def study_of(seed: int, n_plates: int = 2, **doses: float) -> Fields:
    """Fields of a seed: `WELLS` wells on each plate, one field each, without faults unless asked for."""
    options: dict[str, Any] = {"fault_rate": 0.0, **doses}
    return simulate_fields(n_plates, WELLS, CELLS, seed, field_size=SIZE_PX, **options)[0]


def psnr(predicted: Fields, truth: Fields) -> float:
    """Mean PSNR (dB) over fields and channels."""
    found = []
    for said, true in zip(predicted.images, truth.images, strict=True):
        rows = [truth.channels.index(c) for c in predicted.channels]
        real = np.asarray(true)[rows]
        between = ends(real)
        found += [likeness(a, b, e)["psnr"] for a, b, e in zip(np.asarray(said), real, between, strict=True)]
    return float(np.mean(found))


def timed(work: Callable[..., Any], *given: Any, **options: Any) -> tuple[Any, float]:
    """Return what a function returns, and the CPU seconds it took."""
    start = time.process_time()
    return work(*given, **options), time.process_time() - start


def domains(parts: Mapping[str, Fields]) -> Fields:
    """Return the fields of several domains as one, with a column "domain" and ids of their own."""
    obs, images, masks = [], [], []
    for name, part in parts.items():
        table = part.obs.assign(domain=name, plate=[f"{name} {p}" for p in part.obs["plate"]])
        obs.append(table.set_axis([f"{name}-{i}" for i in part.ids], axis=0))
        images += [np.asarray(i) for i in part.images]
        masks += [] if part.masks is None else [np.asarray(m) for m in part.masks]
    first = next(iter(parts.values()))
    known: dict[str, Any] = {"channels": first.channels, "label": "treatment", "unit": ("plate", "well")}
    return Fields(pd.concat(obs), images, masks or None, **known)


def keep(name: str, what: str, rows: Sequence[Mapping[str, float]]) -> None:
    """Record means over the seeds so far with intervals, and every seed as it came."""
    figures: dict[str, Any] = {"what": what, "seeds": len(rows)}
    table = pd.DataFrame(list(rows))
    for column, values in table.items():
        known = values.dropna()
        interval = t_interval(known.to_numpy(float))
        ends_of = [interval.low, interval.high] if interval.known else "too few seeds"
        each = ["not defined" if v != v else float(v) for v in values]
        mean = interval.estimate if len(known) else "not defined"
        figures[str(column)] = {"mean": mean, "95 % interval": ends_of, "each": each}
    record(name, figures)
