"""Does a network take noise out better than a plain filter, and does it invent objects doing so?

Each seed: two simulated plates to learn from, fields of another seed to test on. A network that has seen noisy fields
alone and one that has seen clean ones too, beside a Gaussian blur and non-local means whose strengths were chosen, for
each channel, on the clean training fields. Out of domain: the same fields out of focus (blur × 2.2), and with noise
× 2. Objects are found by `ms.io.segment` in the DNA channel of predicted and of clean pictures. The best filter is that
with the highest PSNR in the domain.

.venv/bin/python studies/images_denoise.py [first_seed] [n_seeds]
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb.predict.images import ImageNetwork, Plain, invented, plain, train  # noqa: E402
from studies._images import domains, keep, psnr, study_of, timed  # noqa: E402

DOMAINS = {"same": {}, "out of focus": {"blur": 2.2}, "noise × 2": {"noise": 2.0}}
CLEAN = {"noise": 0.0}
FILTERS = ("gaussian", "non-local means")


def of_seed(seed: int) -> dict[str, float]:
    """Figures of one training."""
    noisy, clean = study_of(seed), study_of(seed, **CLEAN)
    blind, seconds = timed(train, noisy, "denoise", progress=False)
    seeing, seconds_clean = timed(train, noisy, "denoise", clean=clean, progress=False)
    row = {"CPU seconds of training": seconds, "CPU seconds of training, with clean": seconds_clean}
    methods = {"network": blind, "network, with clean": seeing, **plain(noisy, "denoise", clean=clean)}
    return row | judged(methods, seed + 500)


def judged(methods: Mapping[str, ImageNetwork | Plain], seed: int) -> dict[str, float]:
    """Figures of networks and filters on fields of a seed, in each domain."""
    test = domains({k: study_of(seed, 1, **v) for k, v in DOMAINS.items()})
    truth = domains({k: study_of(seed, 1, **{**v, **CLEAN}) for k, v in DOMAINS.items()})
    said = {name: method.predict(test, progress=False) for name, method in methods.items()}
    row = {}
    for domain in DOMAINS:
        ids = truth.ids[truth.obs["domain"] == domain]
        for name, fields in {"nothing": test, **said}.items():
            row[f"PSNR, {domain}, {name}"] = psnr(fields.subset(ids), truth.subset(ids))
    for name, fields in said.items():
        found = invented(fields, truth, channel="DNA", domain="domain", progress=False)
        row |= {f"share invented, {d}, {name}": v for d, v in found.domains["invented_share"].items()}
        row |= {f"share missed, {d}, {name}": v for d, v in found.domains["missed_share"].items()}
        row |= {f"factor of invented, {d}, {name}": v for d, v in found.factors["factor"].items()}
    networks = [name for name in methods if name not in FILTERS]
    return row | {k: v for d in DOMAINS for n in networks for k, v in beside_filters(row, d, n).items()}


def beside_filters(row: dict[str, float], domain: str, name: str) -> dict[str, float]:
    """What a network gains over the best filter (dB), and by how much more of what is found it invents."""
    best = max(FILTERS, key=lambda name: row[f"PSNR, {domain}, {name}"])
    pairs = {"gain of PSNR": "PSNR", "invented": "share invented"}
    return {
        f"{what}, {domain}, {name} less best filter": row[f"{key}, {domain}, {name}"] - row[f"{key}, {domain}, {best}"]
        for what, key in pairs.items()
    }


def main(first: int = 2000, n_seeds: int = 3) -> None:
    rows = []
    for seed in range(first, first + n_seeds):
        rows.append(of_seed(seed))
        print(seed, {k: round(v, 3) for k, v in rows[-1].items()}, flush=True)
        keep("images_denoise", f"2 plates × 6 fields of 320 pixels to learn from, seeds {first} to {seed}", rows)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
