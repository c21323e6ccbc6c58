"""Are objects found better after learning from a few labelled fields than by the default segmentation?

dsb: 84 fields of the Data Science Bowl 2018 with hand-made masks (../shared/data/dsb2018_subset; the study ends with a
message where it is absent): five of each of four kinds are learned from, by one network, and the others are tested.
dsb_kinds: the same, with a network of its own for each kind.
simulated: nuclei, and whole cells, of dense fields, six labelled ones of one seed to learn from, fields of another seed
to test on. F1 of objects at IoU 0.5, mean over fields, beside `ms.io.segment` and Otsu's threshold with a watershed.

.venv/bin/python studies/images_segment.py [all | dsb | dsb_kinds | simulated] [first_seed] [n_seeds]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from skimage import io as skio  # noqa: E402

from mlscope_nb.datasets import simulate_fields  # noqa: E402
from mlscope_nb.fields import Fields  # noqa: E402
from mlscope_nb.io import segment, segment_cells  # noqa: E402
from mlscope_nb.predict.images import ImageNetwork, Plain, plain, train  # noqa: E402
from mlscope_nb.predict.images.matching import f1  # noqa: E402
from studies._images import keep, timed  # noqa: E402

DSB = ROOT.parent / "shared" / "data" / "dsb2018_subset"
OF_EACH_KIND = 5
LABELLED = 6
DENSE = {"n_plates": 1, "cells_per_well": 220, "field_size": 320, "fault_rate": 0.0}


def dsb_fields() -> Fields:
    """All fields with their masks; grey ones three times, so that one network reads all kinds."""
    table = pd.read_csv(DSB / "meta.csv").set_index("id")
    images, masks = [], []
    for row in table.itertuples():
        image = skio.imread(DSB / str(row.image))
        images.append(np.stack([image] * 3) if image.ndim == 2 else np.moveaxis(image[..., :3], -1, 0))
        masks.append(skio.imread(DSB / str(row.mask)).astype(np.int32))
    return Fields(table[["kind"]], images, masks, channels=["red", "green", "blue"])


def learned_and_scored(learned: Fields, test: Fields, seed: int, **inputs: str) -> tuple[pd.DataFrame, float]:
    """F1 of each method (columns) in each field of the test, and CPU seconds of training."""
    network, seconds = timed(train, learned, "segment", seed=seed, progress=False, **inputs)
    return scores({"network": network, **plain(learned, "segment", **inputs)}, test), seconds


def scores(methods: Mapping[str, ImageNetwork | Plain], test: Fields) -> pd.DataFrame:
    """F1 of each method (columns) in each field."""
    found = {}
    for name, method in methods.items():
        more = {"tile": 1024} if isinstance(method, ImageNetwork) else {}
        said = method.predict(test, progress=False, **more).masks
        found[name] = [f1(np.asarray(a), np.asarray(b)) for a, b in zip(said, test.masks, strict=True)]
    return pd.DataFrame(found, index=test.ids)


def of_dsb(seed: int) -> dict[str, float]:
    """Figures of one choice of training fields."""
    fields, plainly = without_network()
    learned = chosen_of_each_kind(fields, seed)
    network, seconds = timed(train, fields.subset(learned), "segment", seed=seed, progress=False)
    table = scores({"network": network}, fields.subset(~learned)).join(plainly)
    return {"CPU seconds of training": seconds} | by_kind(table, fields)


@cache
def without_network() -> tuple[Fields, pd.DataFrame]:
    """All fields, and F1 of the methods that learn nothing from any."""
    fields = dsb_fields()
    return fields, scores(plain(fields, "segment"), fields)


def of_kinds(seed: int) -> dict[str, float]:
    """The same choice of fields, a network for each kind."""
    fields = dsb_fields()
    learned = chosen_of_each_kind(fields, seed)
    tables, row = [], {}
    for kind, ids in fields.obs.groupby("kind").groups.items():
        own = fields.ids.isin(ids)
        table, seconds = learned_and_scored(fields.subset(learned & own), fields.subset(~learned & own), seed)
        tables.append(table)
        row[f"CPU seconds of training, {kind}"] = seconds
        print(seed, kind, table.mean().round(3).to_dict(), round(seconds), flush=True)
    return row | by_kind(pd.concat(tables), fields)


def chosen_of_each_kind(fields: Fields, seed: int) -> np.ndarray:
    """Which fields are learned from."""
    rng = np.random.default_rng(seed)
    chosen = [rng.permutation(own)[:OF_EACH_KIND] for own in fields.obs.groupby("kind").groups.values()]
    return np.asarray(fields.ids.isin(np.concatenate(chosen)))


def by_kind(table: pd.DataFrame, fields: Fields) -> dict[str, float]:
    """Mean F1 of each method, by kind."""
    row: dict[str, float] = {}
    for kind, part in table.groupby(fields.obs.loc[table.index, "kind"]):
        row |= {f"F1, {kind}, {name}": float(v) for name, v in part.mean().items()}
        row[f"F1, {kind}, network less segment"] = float((part["network"] - part["segment"]).mean())
    return row


def of_seed(seed: int) -> dict[str, float]:
    """Figures of one simulated study: its nuclei, and its whole cells, beside which `segment_cells` stands too."""
    learned, test = (
        simulate_fields(wells_per_plate=n, seed=s, **DENSE)[0] for n, s in ((LABELLED, seed), (8, seed + 500))
    )
    row: dict[str, float] = {}
    inside = [part.with_masks(part.compartments["nucleus"]) for part in (learned, test)]
    grown = segment_cells(segment(test)).masks
    for what, pair, inputs in (("nuclei", inside, {"inputs": "DNA"}), ("cells", (learned, test), {})):
        table, seconds = learned_and_scored(pair[0], pair[1], seed, **inputs)
        if what == "cells":
            table["segment_cells"] = [f1(np.asarray(a), np.asarray(b)) for a, b in zip(grown, test.masks, strict=True)]
        row |= {f"CPU seconds of training, {what}": seconds}
        row |= {f"F1, {what}, {k}": float(v) for k, v in table.mean().items()}
        row[f"F1, {what}, network less segment"] = float((table["network"] - table["segment"]).mean())
    return row


def main(which: str = "all", first: int = 2000, n_seeds: int = 3) -> None:
    if which in ("all", "simulated"):
        run("simulated", of_seed, "6 dense fields to learn from", first, n_seeds)
    if which in ("all", "dsb", "dsb_kinds"):
        if not DSB.is_dir():
            sys.exit("The fields of the Data Science Bowl are not there (../shared/data/dsb2018_subset): left out..")
        if which != "dsb_kinds":
            run("dsb", of_dsb, "20 fields to learn from, the others tested", first, n_seeds)
        if which != "dsb":
            run("dsb_kinds", of_kinds, "a network for each kind, 5 fields each, the others tested", first, n_seeds)


def run(name: str, of_one: Callable[[int], dict[str, float]], what: str, first: int, n_seeds: int) -> None:
    rows = []
    for seed in range(first, first + n_seeds):
        rows.append(of_one(seed))
        print(seed, {k: round(v, 3) for k, v in rows[-1].items()}, flush=True)
        keep(f"images_segment_{name}", f"{what}, seeds {first} to {seed}", rows)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*given[:1], *map(int, given[1:]))
