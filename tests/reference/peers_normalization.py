"""What pycytominer, copairs, neuroCombat and harmonypy make of one small table, for tests that need none of them.

In an environment of its own (pip install pycytominer copairs neuroCombat harmonypy):
python tests/reference/peers_normalization.py
"""

import json
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

PEERS = ("pycytominer", "copairs", "neuroCombat", "harmonypy")


def table():
    """72 cells of 3 plates with 6 wells each: features of different scales, a plate effect, and a treatment."""
    rng = np.random.default_rng(3)
    n = 72
    plate = np.repeat(["p1", "p2", "p3"], 24)
    well = np.tile(np.repeat(["A1", "A2", "A3", "B1", "B2", "B3"], 4), 3)
    drug = np.tile(np.repeat(["DMSO", "DMSO", "x", "DMSO", "y", "y"], 4), 3)
    base = rng.normal(size=(n, 6)) @ rng.normal(size=(6, 6))
    shift = dict(zip(["p1", "p2", "p3"], rng.normal(size=(3, 6)), strict=True))
    base += np.stack([shift[p] for p in plate]) * 2
    base[drug == "x"] += [1.5, 0, -1, 0, 0.5, 0]
    base[drug == "y"] -= [0, 1.2, 0, 0.8, 0, 1]
    names = [f"Cells_Feature_{i}" for i in range(6)]
    features = pd.DataFrame(base * 10.0 ** np.arange(-2, 4) + 5, columns=names)
    return features, pd.DataFrame({"plate": plate, "well": well, "drug": drug})


def crowded(features):
    """The same with columns that selection has to leave out."""
    rng = np.random.default_rng(4)
    z = (features - features.mean()) / features.std(ddof=0)
    more = {
        "Cells_Twin_0": z.iloc[:, 0] + rng.normal(scale=0.1, size=len(z)),
        "Cells_Twin_1": z.iloc[:, 0] + rng.normal(scale=0.2, size=len(z)),
        "Cells_Mirror_2": -z.iloc[:, 2] + rng.normal(scale=0.05, size=len(z)),
        "Cells_Twin_3": z.iloc[:, 3] * 2 + rng.normal(scale=0.3, size=len(z)),
        "Cells_Constant": pd.Series(3.0, index=z.index),
        "Cells_Almost": 1 + z.iloc[:, 1] * 1e-4,
        "Cells_Wild": z.iloc[:, 4].where(z.index != 7, 900.0),
        "Cells_Gaps": pd.Series(rng.normal(size=len(z))).where(np.arange(len(z)) % 5 > 0),
    }
    return pd.concat([z, pd.DataFrame(more)], axis=1)


def normalised(features, obs):
    import neuroCombat.neuroCombat  # noqa: F401
    from pycytominer import normalize

    names, both = list(features), pd.concat([obs.add_prefix("Metadata_"), features], axis=1)
    query = "Metadata_drug == 'DMSO'"

    def per_plate(method):
        parts = [
            normalize(part, features=names, samples=query, method=method, mad_robustize_epsilon=0)[names]
            for _, part in both.groupby("Metadata_plate")
        ]
        return pd.concat(parts).sort_index()

    def spherized():
        return normalize(
            both, features=names, samples=query, method="spherize", spherize_method="ZCA-cor", spherize_center=True
        )[names]

    # Its iteration stops at a change of 1e-4 otherwise, before the fourth digit stands still.
    peer = sys.modules["neuroCombat.neuroCombat"]
    peer.it_sol.__defaults__ = (1e-12,)
    combat = peer.neuroCombat(dat=features.T.to_numpy(), covars=obs[["plate"]], batch_col="plate")["data"].T
    return {
        "standardize": per_plate("standardize").to_numpy(),
        "robust": per_plate("mad_robustize").to_numpy(),
        "sphering": spherized().to_numpy(),
        "combat": combat,
    }


def selected(wide):
    from pycytominer import feature_select

    left, dropped = wide, {}
    for name in ("drop_na_columns", "variance_threshold", "drop_outliers", "correlation_threshold"):
        kept = feature_select(left, features=list(left), operation=name)
        dropped[name] = sorted(set(left) - set(kept))
        left = left[list(kept)]
    return dropped


def replicated(features, obs):
    from copairs.map import average_precision, mean_average_precision

    z = (features - features.mean()) / features.std(ddof=0)
    wells = z.groupby([obs["plate"], obs["well"], obs["drug"]]).mean().reset_index()
    meta, values = wells[["plate", "well", "drug"]], wells[list(features)].to_numpy()
    found = average_precision(meta, values, ["drug"], ["plate"], [], ["drug"], progress_bar=False)
    means = mean_average_precision(found, ["drug"], null_size=20000, threshold=0.05, seed=0, progress_bar=False)
    return {
        "ap": found["average_precision"].to_list(),
        "n_total": found["n_total_pairs"].tolist(),
        "drug": means["drug"].to_list(),
        "map": means["mean_average_precision"].to_list(),
        "p": means["p_value"].to_list(),
    }


def mixed(features, obs):
    from harmonypy import compute_lisi

    z = (features - features.mean()) / features.std(ddof=0)
    return compute_lisi(z.to_numpy(), obs, ["plate"], perplexity=15)[:, 0]


if __name__ == "__main__":
    features, obs = table()
    answers = {
        "versions": {name: metadata.version(name) for name in PEERS},
        **{name: np.round(values, 12).tolist() for name, values in normalised(features, obs).items()},
        "selected": selected(crowded(features)),
        "replicated": replicated(features, obs),
        "lisi": mixed(features, obs).tolist(),
    }
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(answers) + "\n", encoding="utf-8")
    print(f"{target.name}: {target.stat().st_size:,} bytes")
