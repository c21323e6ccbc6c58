"""Each dose of the simulator alone: its own detector follows it, the detectors of the other effects do not.

    .venv/bin/python studies/simulator_doses.py [n_seeds] [n_workers] [n_seeds_at_the_largest_dose]

A foreign detector stays within its null when its answers at the largest dose of the effect do not differ from those on
studies of other seeds without any effect: Welch's t test, at 5 % for all pairs together (Bonferroni).
`swapped_wells` changes the layout file alone and is checked exactly in tests/datasets/test_simulator.py.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import warnings
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr, ttest_ind

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb.datasets import simulate  # noqa: E402
from mlscope_nb.datasets.simulator.plan import make_plan  # noqa: E402
from mlscope_nb.datasets.simulator.study import asked  # noqa: E402
from studies._detectors import DETECTORS  # noqa: E402
from studies._record import record  # noqa: E402
from studies._seen import Seen  # noqa: E402

SHAPE = {"n_plates": 2, "wells_per_plate": 16, "cells_per_well": 6}
RATE = {"fault_rate": 0.05}
USUAL = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
# Doses at which the answer of a detector is neither chance nor certainty, and a last one that is at least the default.
SERIES = {
    "strength": (0.05, 0.1, 0.2, 0.4, 0.7, 1.0),
    "plate_background": (0.005, 0.01, 0.02, 0.05, 0.1, 1.0),
    "plate_illumination": (0.02, 0.05, 0.1, 0.2, 0.4, 1.0),
    "blur": (0.1, 0.2, 0.3, 0.5, 0.7, 1.0),
    "noise": (0.0025, 0.003, 0.0035, 0.004, 0.0045, 2.0),
    "defocus": (0.05, 0.1, 0.15, 0.2, 0.3, 1.0),
    "rare": (0.05, 0.1, 0.2, 0.4, 0.7, 1.0),
    "empty": (0.05, 0.1, 0.2, 0.3, 0.45, 1.0),
    "touching": (0.05, 0.1, 0.3, 0.6, 0.9, 1.2),
    "cut": (0.2, 0.5, 0.7, 0.85, 1.0, 1.2),
    "saturation": (0.1, 0.25, 0.5, 0.75, 1.0, 2.0),
    "debris": (0.01, 0.02, 0.05, 0.1, 0.2, 1.0),
    "duplicates": (0.02, 0.05, 0.1, 0.2, 0.35, 0.5),
    "leaked": (0.02, 0.05, 0.1, 0.2, 0.35, 0.5),
    "mislabels": (0.05, 0.1, 0.2, 0.4, 0.6, 0.8),
    "confounding": (0.15, 0.3, 0.45, 0.6, 0.8, 1.0),
    "shortcut": (0.1, 0.2, 0.4, 0.6, 0.8, 1.0),
}
# The instrument that everything is seen through: an ordinary lens and camera. Nothing else is on.
CAMERA = {"blur": 1.0, "noise": 1.0}
# Effects that physically contain what another detector looks for; decided by how the study is made, not by its figures.
RELATED = {
    ("plate_blur", "blur"): "a plate with another lens is blurred otherwise than the study it is compared with",
    ("leaked", "duplicates"): "two copies of one cell of another well may come to lie in the same well",
}
# Each effect has seeds of its own, so that one odd study is not met by all. Studies to compare with are few and serve
# the effects and the null in equal shares, so that their oddities cancel.
N_NULL, NULL_SEEDS, BASE_SEEDS, N_BASES = 30, 1000, 2000, 6
FAR = 3.3  # standard errors from the mean of the null; 1 in 1,000 by chance
LEVEL = 0.05  # for all pairs together


Job = tuple[int, dict[str, Any], bool]  # seed, dose, whether foreign detectors look too
Answers = dict[Any, dict[str, list[float]]]


def look(seed: int, **dose: Any) -> Seen:
    """Simulate with these doses alone, and say which cells faults would strike."""
    cells, _ = simulate(seed=seed, doses="none", **SHAPE, **RATE, **{**CAMERA, **dose})
    everything = asked(SHAPE, seed, 1, 64, "default", "micronucleus", dict(RATE))
    return Seen(cells, make_plan(everything))


def remembered(job: Job) -> dict[str, float]:
    """The answer for one study, taken from an earlier run of the same code that did not come to its end."""
    code = sorted((ROOT / "mlscope_nb" / "datasets" / "simulator").glob("*.py"))
    code += [ROOT / "studies" / "_seen.py", ROOT / "studies" / "_detectors.py"]
    parts = [file.read_bytes() for file in code]
    key = hashlib.sha256(b"".join([json.dumps(job).encode(), *parts])).hexdigest()
    kept = Path(tempfile.gettempdir()) / "mlscope_simulator_doses" / f"{key[:24]}.json"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps(measured(job)), encoding="utf-8")
    answer: dict[str, float] = json.loads(kept.read_text(encoding="utf-8"))
    return answer


def measured(job: Job) -> dict[str, float]:
    """The answers of detectors on one study; others than the own one compare under the same lens and camera."""
    seed, dose, foreign_too = job
    seen = look(seed, **dose)
    camera = tuple((k, v) for k, v in dose.items() if k in CAMERA)
    without = tuple((k, 0.0) for k in dose if k in CAMERA)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            name: detect(seen, base(seed, without if effect in dose else camera))
            for effect, own in DETECTORS.items()
            if foreign_too or effect in dose
            for name, detect in own.items()
        }


@lru_cache(maxsize=2 * N_BASES)
def base(seed: int, camera: tuple[tuple[str, float], ...]) -> Seen:
    """One of a few studies of other seeds without any effect, seen through some lens and camera."""
    return look(BASE_SEEDS + seed % N_BASES, **dict(camera))


def main(n_seeds: int = 3, n_workers: int = 1, n_at_most: int = N_BASES) -> None:
    jobs: list[Job] = [(NULL_SEEDS + seed, {}, True) for seed in range(N_NULL)]
    for k, effect in enumerate(DETECTORS):
        *lower, most = SERIES.get(effect, USUAL)
        seeds = range(N_BASES * k, N_BASES * k + max(n_seeds, n_at_most))
        jobs += [(seed, {effect: most}, True) for seed in seeds]
        jobs += [(seed, {effect: dose}, False) for dose in lower for seed in seeds[:n_seeds]]
    jobs.sort(key=lambda job: not job[2])
    found = answers(jobs, n_workers)
    null = found[()]
    figures = {name: _series(effect, name, found) for effect, own in DETECTORS.items() for name in own}
    pairs = foreign(found, null)
    strays = {pair: of.words for pair, of in pairs.items() if of.welch < LEVEL / len(pairs)}
    pooled = [of.words for of in pairs.values() if of.student < LEVEL / len(pairs)]
    far = [of.words for of in pairs.values() if of.errors > FAR]
    unexplained = [words for pair, words in strays.items() if pair not in RELATED]
    low = [name for name, f in figures.items() if f["Spearman"] < 0.9]
    record(
        "simulator_doses",
        {
            "what": f"each effect alone, seen through lens and camera; {n_seeds} studies of 192 cells at each dose, "
            f"{max(n_seeds, n_at_most)} at the largest, {N_NULL} of other seeds without any effect; mean AUROC",
            "detectors with Spearman below 0.9 (wanted: none)": ", ".join(low) or "none",
            "pairs of an effect at its largest dose and a foreign detector": len(pairs),
            "outside their null (Welch, 5 % for all pairs)": len(strays),
            "outside their null and not related by physics (wanted: 0)": len(unexplained),
            "which of them": "; ".join(unexplained) or "none",
            "related": {
                f"{a} → {b}": f"{pairs[a, b].words}: {why}" for pair, why in RELATED.items() for a, b in [pair]
            },
            "the same by Student's t (the null's spread counts most)": "; ".join(pooled) or "none",
            f"more than {FAR} standard errors of the null from its mean (by chance: {len(pairs) / 1000:.0f})": len(far),
            "which of those": "; ".join(far) or "none",
            "detector": figures,
        },
    )
    print(low, unexplained, list(strays), far, sep="\n")


def answers(jobs: list[Job], n_workers: int) -> Answers:
    """All answers of each detector on all studies of each effect and dose; without any effect under ()."""
    found: Answers = defaultdict(lambda: defaultdict(list))
    with ProcessPoolExecutor(n_workers) as pool:
        for done, ((_, dose, _), answer) in enumerate(zip(jobs, pool.map(remembered, jobs), strict=True), start=1):
            for name, value in answer.items():
                found[next(iter(dose.items()), ())][name].append(value)
            if done % 20 == 0:
                print(f"{done} of {len(jobs)} studies", flush=True)
    return found


def _series(effect: str, name: str, found: Answers) -> dict[str, Any]:
    """How a detector follows its own effect."""
    series, null = SERIES.get(effect, USUAL), found[()][name]
    means = [float(np.nanmean(found[effect, dose][name])) for dose in series]
    return {
        "AUROC at doses " + ", ".join(f"{d:g}" for d in series): [round(m, 3) for m in means],
        "Spearman": rank_correlation(series, means),
        "null": f"{np.nanmean(null):.3f} ± {np.nanstd(null):.3f} (sd of one study)",
    }


@dataclass(frozen=True)
class Pair:
    """A foreign detector at the largest dose of an effect against its null: two p values, a distance, and words."""

    welch: float
    student: float
    errors: float
    words: str


def foreign(found: Answers, null: dict[str, list[float]]) -> dict[tuple[str, str], Pair]:
    """Compare the answers of each foreign detector at the largest dose of each effect with its null."""
    pairs = {}
    for effect, own in DETECTORS.items():
        at_most = found[effect, SERIES.get(effect, USUAL)[-1]]
        for name in [n for n in null if n not in own]:
            seen, usual = (np.array(a)[np.isfinite(a)] for a in (at_most[name], null[name]))
            if len(seen) < 2:
                continue  # confounding may leave a class out, and then its detector has nothing to look at
            shift = seen.mean() - usual.mean()
            error = usual.std(ddof=1) * np.sqrt(1 / len(seen) + 1 / len(usual))
            text = f"{effect} → {name} ({seen.mean():.3f}, null {usual.mean():.3f})"
            pairs[effect, name] = Pair(
                welch=t_test(seen, usual, equal_var=False),
                student=t_test(seen, usual, equal_var=True),
                errors=abs(shift) / max(error, 1e-3),
                words=text,
            )
    return pairs


def t_test(seen: np.ndarray, usual: np.ndarray, *, equal_var: bool) -> float:
    """p of Welch's or Student's t test; answers that never vary agree or they do not."""
    if seen.std() < 1e-12 and usual.std() < 1e-12:
        return float(abs(seen.mean() - usual.mean()) < 1e-12)
    return float(ttest_ind(seen, usual, equal_var=equal_var).pvalue)


def rank_correlation(series: tuple[float, ...], means: list[float]) -> float:
    """Spearman's coefficient; 0 where the answers are all the same."""
    return round(float(spearmanr(series, means).statistic), 3) if len(set(means)) > 1 else 0.0


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
