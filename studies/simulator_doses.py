"""Each dose of the simulator alone: its own detector follows it, the detectors of the other effects do not.

    .venv/bin/python studies/simulator_doses.py [n_seeds] [n_workers]

`swapped_wells` changes the layout file alone and is checked exactly in tests/datasets/test_simulator.py.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb.datasets import simulate  # noqa: E402
from mlscope_nb.datasets.simulator.plan import make_plan  # noqa: E402
from mlscope_nb.datasets.simulator.study import asked  # noqa: E402
from studies._detectors import DETECTORS, Seen, would_be_struck  # noqa: E402
from studies._record import record  # noqa: E402

SHAPE = {"n_plates": 2, "wells_per_plate": 16, "cells_per_well": 6}
RATE = {"fault_rate": 0.05}
USUAL = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
# Doses at which the answer of a detector is neither chance nor certainty.
SERIES = {
    "strength": (0.05, 0.1, 0.2, 0.4, 0.7, 1.0),
    "plate_background": (0.005, 0.01, 0.02, 0.05, 0.1, 0.3),
    "plate_illumination": (0.02, 0.05, 0.1, 0.2, 0.4, 1.0),
    "blur": (0.1, 0.2, 0.3, 0.5, 0.7, 1.0),
    "defocus": (0.05, 0.1, 0.15, 0.2, 0.3, 0.5),
    "rare": (0.05, 0.1, 0.2, 0.4, 0.7, 1.0),
    "empty": (0.05, 0.1, 0.2, 0.3, 0.45, 0.7),
    "touching": (0.05, 0.1, 0.3, 0.6, 0.9, 1.2),
    "cut": (0.2, 0.5, 0.7, 0.85, 1.0, 1.2),
    "saturation": (0.1, 0.25, 0.5, 0.75, 1.0, 2.0),
    "debris": (0.01, 0.02, 0.05, 0.1, 0.2, 0.6),
    "duplicates": (0.02, 0.05, 0.1, 0.2, 0.35, 0.5),
    "leaked": (0.02, 0.05, 0.1, 0.2, 0.35, 0.5),
    "mislabels": (0.05, 0.1, 0.2, 0.4, 0.6, 0.8),
    "confounding": (0.15, 0.3, 0.45, 0.6, 0.8, 1.0),
    "shortcut": (0.1, 0.2, 0.4, 0.6, 0.8, 1.0),
}
# The instrument that everything is seen through: an ordinary lens and camera. Nothing else is on.
CAMERA = {"blur": 1.0, "noise": 1.0}
N_NULL = 20
FAR = 3.3  # standard errors from the mean of the null; 1 in 1,000 by chance


def look(seed: int, **dose: Any) -> Seen:
    """Simulate with these doses alone, and say which cells faults would strike."""
    cells, _ = simulate(seed=seed, doses="none", **SHAPE, **RATE, **{**CAMERA, **dose})
    everything = asked(SHAPE, seed, 1, 64, "default", "micronucleus", dict(RATE))
    return Seen(cells, would_be_struck(make_plan(everything), cells.ids))


def remembered(job: tuple[int, dict[str, Any]]) -> dict[str, float]:
    """The answer for one study, taken from an earlier run of the same code that did not come to its end."""
    code = [*sorted((ROOT / "mlscope_nb" / "datasets" / "simulator").glob("*.py")), ROOT / "studies" / "_detectors.py"]
    parts = [file.read_bytes() for file in code]
    key = hashlib.sha256(b"".join([json.dumps(job).encode(), *parts])).hexdigest()
    kept = Path(tempfile.gettempdir()) / "mlscope_simulator_doses" / f"{key[:24]}.json"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps(measured(job)), encoding="utf-8")
    answer: dict[str, float] = json.loads(kept.read_text(encoding="utf-8"))
    return answer


def measured(job: tuple[int, dict[str, Any]]) -> dict[str, float]:
    """The answer of every detector on one study; others than the own one compare under the same lens and camera."""
    seed, dose = job
    seen = look(seed, **dose)
    camera = tuple((k, v) for k, v in dose.items() if k in CAMERA)
    without = tuple((k, 0.0) for k in dose if k in CAMERA)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            name: detect(seen, base(seed, without if effect in dose else camera))
            for effect, own in DETECTORS.items()
            for name, detect in own.items()
        }


@lru_cache(maxsize=8)
def base(seed: int, camera: tuple[tuple[str, float], ...]) -> Seen:
    """A study of another seed without any effect, seen through some lens and camera."""
    return look(1000 + seed, **dict(camera))


def main(n_seeds: int = 3, n_workers: int = 1) -> None:
    jobs: list[tuple[int, dict[str, Any]]] = [(seed, {}) for seed in range(N_NULL)]
    for effect in DETECTORS:
        for dose in SERIES.get(effect, USUAL):
            jobs += [(seed, {effect: dose}) for seed in range(n_seeds)]
    answers = []
    with ProcessPoolExecutor(n_workers) as pool:
        for done, answer in enumerate(pool.map(remembered, jobs), start=1):
            answers.append(answer)
            if done % 20 == 0:
                print(f"{done} of {len(jobs)} studies", flush=True)
    null = {name: np.array([a[name] for a in answers[:N_NULL]]) for name in answers[0]}
    figures: dict[str, Any] = {}
    strays: list[str] = []
    for effect, own in DETECTORS.items():
        series = SERIES.get(effect, USUAL)
        of = {dose: [a for a, (_, d) in zip(answers, jobs, strict=True) if d == {effect: dose}] for dose in series}
        for name in own:
            means = [float(np.nanmean([a[name] for a in of[dose]])) for dose in series]
            figures[name] = {
                "AUROC at doses " + ", ".join(f"{d:g}" for d in series): [round(m, 3) for m in means],
                "Spearman": rank_correlation(series, means),
                "null": f"{np.nanmean(null[name]):.3f} ± {np.nanstd(null[name]):.3f} (sd of one study)",
            }
        strays += _strays(effect, own, of[series[-1]], null, n_seeds)
    n_pairs = sum(len(null) - len(own) for own in DETECTORS.values())
    low = [name for name, f in figures.items() if f["Spearman"] < 0.9]
    record(
        "simulator_doses",
        {
            "what": f"each effect alone, seen through lens and camera; {n_seeds} studies of 192 cells; mean AUROC",
            "detectors with Spearman below 0.9 (wanted: none)": ", ".join(low) or "none",
            "pairs of an effect at its largest dose and a foreign detector": n_pairs,
            f"of these, more than {FAR} standard errors from the null": len(strays),
            "which": "; ".join(strays) or "none",
            "detector": figures,
        },
    )
    print(low, strays, sep="\n")


def rank_correlation(series: tuple[float, ...], means: list[float]) -> float:
    """Spearman's coefficient; 0 where the answers are all the same."""
    return round(float(spearmanr(series, means).statistic), 3) if len(set(means)) > 1 else 0.0


def _strays(
    effect: str, own: dict[str, Any], at_most: list[dict[str, float]], null: dict[str, np.ndarray], n: int
) -> list[str]:
    """Foreign detectors that answer to an effect."""
    found = []
    for name, values in null.items():
        if name in own:
            continue
        mean = float(np.nanmean([a[name] for a in at_most]))
        error = float(np.nanstd(values)) * np.sqrt(1 / n + 1 / N_NULL)
        if abs(mean - float(np.nanmean(values))) > FAR * max(error, 1e-3):
            found.append(f"{effect} → {name} ({mean:.2f}, null {np.nanmean(values):.2f})")
    return found


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
