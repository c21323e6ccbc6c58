"""pycytominer's word on tables of profiles: run by .venv-judges, prints what it found as JSON.

python judge_pycytominer.py FILE.parquet … : normalises to controls, selects and aggregates, from the file itself.
"""

import numpy as np
from judge_report import report
from pycytominer import aggregate, feature_select, normalize
from pycytominer.cyto_utils import infer_cp_features
from pycytominer.cyto_utils.load import load_profiles


def look(path):
    table = load_profiles(path)
    features = infer_cp_features(table)
    controls = "Metadata_treatment == 'DMSO'"
    normalised = normalize(profiles=path, features="infer", samples=controls, method="standardize")
    chosen = normalised.query(controls)[features]
    varied = table.query(controls)[features].std() > 0
    selected = feature_select(
        normalised, features="infer", operation=["variance_threshold", "correlation_threshold", "drop_na_columns"]
    )
    wells = aggregate(table, strata=["Metadata_plate", "Metadata_well"], features="infer", operation="median")
    return {
        "features": features,
        "metadata": infer_cp_features(table, metadata=True),
        "neither": [c for c in table.columns if c not in features and not c.startswith("Metadata_")],
        "ids": list(map(str, normalised["Metadata_cell_id"])),
        "controls_mean": float(np.nanmax(np.abs(chosen.loc[:, varied].mean()))),
        "controls_sd": float(np.nanmax(np.abs(chosen.loc[:, varied].std(ddof=0) - 1))),
        "selected": infer_cp_features(selected),
        "wells": wells[["Metadata_plate", "Metadata_well"]].astype(str).agg("/".join, axis=1).tolist(),
        "medians": wells[features[0]].tolist(),
    }


if __name__ == "__main__":
    report(look)
