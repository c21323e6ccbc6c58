"""Does `retrain=True` make the networks again that travel with mlscope?

Each is trained from scratch as it was, and held against the file: the weights, with half the digits as in the file;
what both say of fields that neither has seen (simulated ones; of "fly" the field that was left out), as the root mean
square of the difference in shares of the range from dark to bright; F1 of the objects of one against those of the other
(found by `ms.io.segment` in DNA where pictures are made); and of both against the truth. On the machine that made the
files all is the same; on others arithmetic differs in the last digits, and a training is no more the same step by step.

.venv/bin/python studies/images_retrain.py [name …]
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, get_args

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402

from mlscope_nb.datasets import load_fields, simulate_fields  # noqa: E402
from mlscope_nb.fields import Fields  # noqa: E402
from mlscope_nb.io import segment  # noqa: E402
from mlscope_nb.predict.images import ImageNetwork, shipped  # noqa: E402
from mlscope_nb.predict.images.matching import f1  # noqa: E402
from mlscope_nb.predict.images.scaling import ends  # noqa: E402
from mlscope_nb.predict.images.shipped import (  # noqa: E402
    CELLS_IN_FIELD,
    FIELD_PX,
    HELD_OUT_POSITION,
    RECIPES,
    Name,
)
from studies._record import record  # noqa: E402

SEED = 2900
NAME = "images_retrain"


def unseen(name: str) -> Fields:
    """Fields that a network has not learned from, with the objects that are looked for as masks."""
    if name == "fly":
        fields = load_fields("fly").subset([HELD_OUT_POSITION])
        return segment(fields, "DNA")
    crowd = 3 if name == "segment" else 1
    fields, _ = simulate_fields(1, 4, crowd * CELLS_IN_FIELD, SEED, field_size=FIELD_PX, faults=0)
    return fields.with_masks(fields.compartments["nucleus"])


def found(network: ImageNetwork, said: Fields) -> list[np.ndarray]:
    """Label masks of what was predicted."""
    masks = said.masks if network.task == "segment" else segment(said, "DNA").masks
    return [np.asarray(m) for m in masks or ()]


def mean_f1(some: list[np.ndarray], others: list[np.ndarray]) -> float:
    return float(np.mean([f1(a, b) for a, b in zip(some, others, strict=True)]))


def apart(network: ImageNetwork, one: Fields, other: Fields) -> float | str:
    """Root mean square of the difference of predicted pictures, in shares of the range of the first."""
    if network.task == "segment":
        return "objects, no pictures"
    wrong = []
    for a, b in zip(one.images, other.images, strict=True):
        between = ends(np.asarray(a))
        wrong.append(np.square((np.asarray(a, float) - b) / np.diff(between)[:, :, None]).mean())
    return float(np.sqrt(np.mean(wrong)))


def of_network(name: Name) -> dict[str, Any]:
    """Figures of one network."""
    start, clock = time.process_time(), time.perf_counter()
    again = shipped(name, retrain=True, progress=False)
    took = {"CPU seconds of training": time.process_time() - start, "seconds": time.perf_counter() - clock}
    file = shipped(name)
    weights = [n.model.state_dict() for n in (again, file)]
    equal = [torch.equal(weights[0][k].half(), weights[1][k].half()) for k in weights[1]]
    fields = unseen(name)
    said: list[Any] = [n.predict(fields, progress=False) for n in (again, file)]
    objects = [found(n, s) for n, s in zip((again, file), said, strict=True)]
    true = [np.asarray(m) for m in fields.masks or ()]
    return took | {
        "weights that are the same": f"{sum(equal)} of {len(equal)} tensors",
        "difference of pictures": apart(file, said[1], said[0]),
        "F1 of one against the other": mean_f1(*objects),
        "F1 against the truth, again": mean_f1(objects[0], true),
        "F1 against the truth, file": mean_f1(objects[1], true),
    }


def main(names: list[str]) -> None:
    if unknown := set(names) - set(RECIPES):
        sys.exit(f"No network {', '.join(sorted(unknown))} travels with mlscope. There are: {', '.join(RECIPES)}.")
    before = Path(__file__).parent / "results" / f"{NAME}.json"
    figures = json.loads(before.read_text(encoding="utf-8"))["figures"] if before.is_file() else {}
    for name in (known for known in get_args(Name) if known in names):
        figures[name] = of_network(name)
        print(name, figures[name], flush=True)
        record(NAME, figures)


if __name__ == "__main__":
    main(sys.argv[1:] or list(RECIPES))
