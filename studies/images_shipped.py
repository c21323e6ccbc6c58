"""How good are the networks that travel with mlscope, on fields of seeds that nothing was chosen on?

The same figures as images_denoise, images_stain and images_segment have, but nothing is trained: the networks are those
of `ms.predict.images.shipped`, and what stands beside them was fitted to the fields that they learned from. "fly": the
real field that was left out.

.venv/bin/python studies/images_shipped.py [all | segment | stain | fly | denoise] [first_seed] [n_seeds]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb.datasets import load_fields, simulate_fields  # noqa: E402
from mlscope_nb.fields import Fields  # noqa: E402
from mlscope_nb.predict.images import Ensemble, Plain, plain, shipped  # noqa: E402
from mlscope_nb.predict.images.shipped import HELD_OUT_POSITION, RECIPES, SEED  # noqa: E402
from studies import images_denoise, images_segment, images_stain  # noqa: E402
from studies._images import keep, study_of  # noqa: E402


def learned(name: str) -> Fields:
    """The fields that a network has learned from."""
    return RECIPES[name][0]()


def of_segment(seed: int) -> dict[str, float]:
    """F1 in dense fields, nuclei."""
    fields = simulate_fields(wells_per_plate=8, seed=seed, **images_segment.DENSE)[0]
    methods = {"network": shipped("segment"), **plain(learned("segment"), "segment", inputs="DNA")}
    table = images_segment.scores(methods, fields.with_masks(fields.compartments["nucleus"]))
    row = {f"F1, nuclei, {name}": float(v) for name, v in table.mean().items()}
    return row | {"F1, nuclei, network less segment": float((table["network"] - table["segment"]).mean())}


def of_stain(seed: int) -> dict[str, float]:
    """Likeness, objects and warnings, in each domain."""
    return images_stain.judged(Ensemble((shipped("stain"), shipped("stain 1"))), learned("stain"), seed)


def of_fly(seed: int) -> dict[str, float]:
    """The same on the real field that was left out; there is one, whatever the seed."""
    return images_stain.beside_regression(
        shipped("fly"), learned("fly"), load_fields("fly").subset([HELD_OUT_POSITION])
    )


def of_denoise(seed: int) -> dict[str, float]:
    """PSNR and invented objects, in each domain."""
    return images_denoise.judged({"network": shipped("denoise"), **filters()}, seed)


@cache
def filters() -> dict[str, Plain]:
    """Filters with the strengths that come nearest to the clean pictures of the seed that the networks know."""
    return plain(study_of(SEED), "denoise", clean=study_of(SEED, **images_denoise.CLEAN))


STUDIES: dict[str, Callable[[int], dict[str, float]]] = {
    "segment": of_segment, "stain": of_stain, "fly": of_fly, "denoise": of_denoise,
}  # fmt: skip


def main(which: str = "all", first: int = 2000, n_seeds: int = 3) -> None:
    for name, of_one in STUDIES.items():
        rows = []
        for seed in range(first, first + (n_seeds if name != "fly" else 1)) if which in ("all", name) else ():
            rows.append(of_one(seed))
            print(name, seed, {k: round(v, 3) for k, v in rows[-1].items()}, flush=True)
            of = f"field {HELD_OUT_POSITION}" if name == "fly" else f"fields of seeds {first} to {seed}"
            keep(f"images_shipped_{name}", of, rows)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*given[:1], *map(int, given[1:]))
