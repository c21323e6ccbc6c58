"""Tables of CellProfiler joined by CytoTable 1.2.6, for tests/io/test_cytotable.py.

CytoTable brings DuckDB and parsl, so it lives in an environment of its own. It fetches extensions of DuckDB, which CSV
files do not need: without the network take the INSTALL and LOAD lines out of its ``utils._duckdb_reader``.

    python -m venv peers_cytotable && peers_cytotable/bin/python -m pip install cytotable==1.2.6 "duckdb<1.4" tifffile
    PATH=peers_cytotable/bin:$PATH peers_cytotable/bin/python tests/reference/peers_cytotable.py

It writes peers_cytotable.json beside this file: of every feature a hash of its numbers, in the order of image and cell.
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT.parent / "shared" / "data" / "cellprofiler_ExampleHuman"
FILE = Path(__file__).with_suffix(".json")
COMPARTMENTS = ("Cells_", "Cytoplasm_", "Nuclei_")


def hashes(features, images, numbers):
    """Return a hash for each feature; NaN counts as one number."""
    order = np.lexsort([numbers, images])
    found = {}
    for name in sorted(features.columns):
        values = np.asarray(features[name], dtype="<f8")[order]
        found[name] = hashlib.sha256(np.where(np.isnan(values), np.nan, values).tobytes()).hexdigest()[:16]
    return {"rows": len(order), "features": found}


def joined(folder, place):
    import cytotable
    import pandas as pd

    target = Path(place) / f"{folder.name}.parquet"
    cytotable.convert(
        source_path=str(folder), source_datatype="csv", dest_path=str(target), dest_datatype="parquet",
        preset="cellprofiler_csv",
    )  # fmt: skip
    table = pd.read_parquet(target)
    features = table[[c for c in table if c.startswith(COMPARTMENTS)]]
    return hashes(features, table["Metadata_ImageNumber"], table["Metadata_Cytoplasm_Parent_Cells"])


def main():
    sys.path.insert(0, str(ROOT))
    from studies._table_files import write_analysis

    with tempfile.TemporaryDirectory() as place:
        analysis = Path(place) / "analysis"
        write_analysis(analysis)
        (analysis / "Foci.csv").unlink()
        found = {"analysis": joined(analysis, place), "ExampleHuman": joined(EXAMPLE, place)}
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
