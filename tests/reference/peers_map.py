"""What copairs says of the activity and consistency of one small table of profiles, for tests that do not need it.

In an environment of its own (pip install copairs): python tests/reference/peers_map.py
"""

import json
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd


def profiles():
    """36 wells of 3 plates: six controls and two each of three drugs on a plate; x is strong, y weak, z nothing."""
    rng = np.random.default_rng(11)
    plate = np.repeat(["p1", "p2", "p3"], 12)
    drug = np.tile(["DMSO"] * 6 + ["x", "x", "y", "y", "z", "z"], 3)
    values = rng.normal(size=(36, 8))
    values[drug == "x", :3] += 2.5
    values[drug == "y", 3:5] += 1.2
    return values, pd.DataFrame({"plate": plate, "well": np.tile(np.arange(12), 3), "drug": drug})


if __name__ == "__main__":
    from copairs.map import average_precision, mean_average_precision
    from copairs.matching import assign_reference_index

    values, meta = profiles()
    treated = (meta["drug"] != "DMSO").to_numpy()
    # Each control is a group of its own, so that controls have no positives: copairs' own recipe for activity.
    indexed = assign_reference_index(meta, "drug == 'DMSO'", reference_col="Metadata_reference_index", default_value=-1)
    same = ["drug", "Metadata_reference_index"]
    questions = {
        "activity": average_precision(indexed, values, same, [], [], same, progress_bar=False)[treated],
        "consistency": average_precision(
            meta[treated].reset_index(drop=True), values[treated], ["drug"], ["plate"], [], ["drug"], progress_bar=False
        ),
    }
    answers = {"versions": {"copairs": metadata.version("copairs")}}
    for question, found in questions.items():
        means = mean_average_precision(found, ["drug"], null_size=100_000, threshold=0.05, seed=0, progress_bar=False)
        answers[question] = {
            "drug": means["drug"].to_list(),
            "map": means["mean_average_precision"].to_list(),
            "p": means["p_value"].to_list(),
            "q": means["corrected_p_value"].to_list(),
        }
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(answers) + "\n", encoding="utf-8")
    print(f"{target.name}: {target.stat().st_size:,} bytes")
