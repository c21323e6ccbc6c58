"""Damaged and hostile tables, the short round: a result, or an error that names the file, and no other file touched."""

import time

import numpy as np
import pytest

from studies import _table_files as files
from studies import io_fuzz_tables as fuzz

PER_KIND = 6
SLOW = {"h5ad": 3}
"""Each is read through in a process of its own, which takes half a second, and ten where it hangs."""
pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")


def test_damaged_files(tmp_path):
    folder = tmp_path / "fuzz"
    folder.mkdir()
    wrong = []
    for kind, (file, source, reader) in fuzz.sources(folder).items():
        good = file.read_bytes()
        for seed in range(SLOW.get(kind, PER_KIND)):
            file.write_bytes(files.damaged(good, np.random.default_rng(seed)))
            before = fuzz.listing(folder)
            end = fuzz.outcome(reader, source, file)
            if end not in ("read", "refused") or fuzz.listing(folder) != before:
                wrong.append((kind, seed, end))
        file.write_bytes(good)
        assert fuzz.outcome(reader, source, file) == "read", kind
    assert not wrong


@pytest.mark.parametrize("make", [files.odd_csv, files.hostile_npz])
def test_hostile_files(tmp_path, make):
    """Each is refused, or read where nothing is wrong with it but its contents; a million columns end at once."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    ends = {}
    for name, content in make():
        if name == "bomb":  # packing it takes longer than all the others; the study has it
            continue
        file = folder / ("Cells.csv" if make is files.odd_csv else "features.npz")
        file.write_bytes(content)
        reader = fuzz.ms.io.read_cellprofiler if make is files.odd_csv else fuzz.ms.io.read_profiles
        before, start = fuzz.listing(folder), time.perf_counter()
        ends[name] = fuzz.outcome(reader, file, file)
        assert fuzz.listing(folder) == before and time.perf_counter() - start < 30, name
    harmless = {"infinite", "mixed", "formula"}
    assert ends == {name: "read" if name in harmless else "refused" for name in ends}


def test_a_gzip_bomb_is_not_unpacked(tmp_path):
    (tmp_path / "bomb.csv.gz").write_bytes(files.gzip_bomb(400))
    with pytest.raises(ValueError, match=r"bomb\.csv\.gz.*unpacks to more than"):
        fuzz.ms.io.read_profiles(tmp_path / "bomb.csv.gz")


def test_hostile_databases_and_parquet(tmp_path):
    ends = {
        name: fuzz.outcome(fuzz.ms.io.read_cellprofiler, file, file) for name, file in files.hostile_databases(tmp_path)
    }
    ends |= {
        name: fuzz.outcome(fuzz.ms.io.read_profiles, file, file) for name, file in files.hostile_parquet(tmp_path, 150)
    }
    harmless = {"computed column", "name"}
    assert ends == {name: "read" if name in harmless else "refused" for name in ends}
