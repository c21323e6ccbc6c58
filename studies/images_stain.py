"""How good is a predicted stain, and what does it invent out of domain?

fly: DNA from F and R, each of the three real fields held out once (two are learned from). Simulated: DNA from actin and
the third channel, two plates to learn from, another seed to test on; out of domain the same fields out of focus
(blur × 2.2), and the treatment that was left out of training. Beside it linear regression of channels, on the same
scale. Objects are found by `ms.io.segment` in predicted and in true DNA. Disagreement is that of two networks, as in
notebook 05.

.venv/bin/python studies/images_stain.py [all | fly | simulated] [first_seed] [n_seeds]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb.datasets import load_fields  # noqa: E402
from mlscope_nb.fields import Fields  # noqa: E402
from mlscope_nb.predict.images import Ensemble, ImageNetwork, compare, invented, plain, train  # noqa: E402
from studies._images import domains, keep, psnr, study_of, timed  # noqa: E402

COLUMNS = ("correlation", "psnr", "f1", "invented", "missed", "count_error")
NEVER_SEEN = "lobed"


def of_fly(held: str) -> dict[str, float]:
    """Figures of one fly field, with the others learned from."""
    fields = load_fields("fly")
    learned, test = fields.subset(fields.ids != held), fields.subset([held])
    network, seconds = timed(train, learned, "stain", target="DNA", progress=False)
    return {"CPU seconds of training": seconds} | beside_regression(network, learned, test)


def beside_regression(network: ImageNetwork, learned: Fields, test: Fields) -> dict[str, float]:
    """Figures of a network and of linear regression on the same fields."""
    methods = {"network": network, **plain(learned, "stain", target="DNA")}
    table = compare({k: m.predict(test, progress=False) for k, m in methods.items()}, test, progress=False)
    return {f"{c}, {m}": float(table.loc[m, c]) for m in methods for c in COLUMNS}


def of_seed(seed: int) -> dict[str, float]:
    """Figures of one simulated study."""
    learned = study_of(seed)
    learned = learned.subset(learned.obs["treatment"] != NEVER_SEEN)
    networks = [timed(train, learned, "stain", target="DNA", seed=s, progress=False) for s in (0, 1)]
    row = {"CPU seconds of training": networks[0][1]}
    return row | judged(Ensemble(tuple(n for n, _ in networks)), learned, seed + 500)


def judged(ensemble: Ensemble, learned: Fields, seed: int) -> dict[str, float]:
    """Figures of the first of some networks, and of linear regression, on fields of a seed, in each domain."""
    whole = study_of(seed)
    rare = whole.obs["treatment"] == NEVER_SEEN
    parts = {"same": whole.subset(~rare), "never seen": whole.subset(rare), "out of focus": study_of(seed, blur=2.2)}
    test = domains({k: v for k, v in parts.items() if len(v)})
    row: dict[str, float] = {}
    for name, method in {"network": ensemble.networks[0], **plain(learned, "stain", target="DNA")}.items():
        said = method.predict(test, progress=False)
        more = {"ensemble": ensemble, "inputs": test} if name == "network" else {}
        found = invented(said, test, domain="domain", progress=False, **more)
        for domain, shares in found.domains.iterrows():
            ids = test.ids[test.obs["domain"] == domain]
            row[f"PSNR, {domain}, {name}"] = psnr(said.subset(ids), test.subset(ids))
            for column in ("correlation", "f1", "invented_share", "missed_share"):
                row[f"{column}, {domain}, {name}"] = float(shares[column])
        row |= {f"factor of invented, {d}, {name}": float(v) for d, v in found.factors["factor"].items()}
        if found.warning is not None:
            row |= {f"AUROC of disagreement, {d}": float(v) for d, v in found.warning["disagreement"].items()}
            row |= {f"AUROC of brightness alone, {d}": float(v) for d, v in found.warning["brightness"].items()}
    return row


def main(which: str = "all", first: int = 2000, n_seeds: int = 3) -> None:
    if which in ("all", "fly"):
        run("fly", of_fly, [str(i) for i in load_fields("fly").ids], "each field held out")
    if which in ("all", "simulated"):
        run("simulated", of_seed, range(first, first + n_seeds), "two plates to learn from")


def run(name: str, of_one: Callable[[Any], dict[str, float]], ones: Sequence[Any], what: str) -> None:
    rows = []
    for one in ones:
        rows.append(of_one(one))
        print(one, {k: round(v, 3) for k, v in rows[-1].items()}, flush=True)
        keep(f"images_stain_{name}", f"{what}: {ones[0]} to {one}", rows)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*given[:1], *map(int, given[1:]))
