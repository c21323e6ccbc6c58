"""CellProfiler's tables are joined as CytoTable joins them (tests/reference/peers_cytotable.py), to the last bit."""

import importlib.util
import json
from pathlib import Path

import pytest

import mlscope_nb as ms
from studies._table_files import write_analysis

PEER = Path(__file__).parents[1] / "reference" / "peers_cytotable.py"
pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")


@pytest.fixture(scope="module")
def peer():
    spec = importlib.util.spec_from_file_location("peers_cytotable", PEER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def same(peer, cells, name):
    """CytoTable keeps the cells with a cytoplasm, and every column; all that it has, we have, with the same numbers."""
    cells = cells.where("Cytoplasm_ObjectNumber > 0")
    obs, wanted = cells.obs, json.loads(PEER.with_suffix(".json").read_text())[name]
    found = peer.hashes(cells.features, obs["ImageNumber"], obs["ObjectNumber"])
    assert found["rows"] == wanted["rows"]
    kept = {k: v for k, v in wanted["features"].items() if "Parent_" not in k and "Number_Object_Number" not in k}
    assert {k: v for k, v in found["features"].items() if k in kept} == kept


def test_numbers_that_differ_between_cells_and_nuclei(peer, tmp_path):
    write_analysis(tmp_path / "analysis")
    same(peer, ms.io.read_cellprofiler(tmp_path / "analysis", images=False, positions=True), "analysis")


def test_example_human(peer, shared_data):
    folder = shared_data("cellprofiler_ExampleHuman")
    same(peer, ms.io.read_cellprofiler(folder, images=False, positions=True), "ExampleHuman")
