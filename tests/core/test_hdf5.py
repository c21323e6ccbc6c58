"""A file under HDF5 that no full disk can hurt: what was refused is read back as if it had been written."""

import signal
from contextlib import contextmanager

import numpy as np
import pytest

from mlscope_nb._hdf5 import RememberingFile, new_hdf5


@pytest.fixture
def disk():
    """Let this process write files of so many bytes alone inside a block; what pytest prints may be longer."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def limited(size):
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)

    return limited


def test_the_limit_ends_with_its_block(disk, tmp_path):
    with pytest.raises(OSError, match="File too large"), disk(10), (tmp_path / "a").open("wb", buffering=0) as file:
        for _ in range(3):
            file.write(b"0123456789")
    (tmp_path / "b").write_bytes(bytes(1000))
    assert (tmp_path / "a").stat().st_size == 10


def test_what_was_refused_is_read_back(disk, tmp_path):
    with disk(10), RememberingFile(tmp_path / "a") as file:
        file.write(b"0123456789abcdef")
        file.seek(4)
        file.write(b"XY")
        file.seek(-3, 2)
        file.write(b"Z")
        assert file.seek(0, 2) == 16
        file.seek(2)
        buffer = bytearray(20)
        assert file.readinto(buffer) == 14 and bytes(buffer[:14]) == b"23XY6789abcZef"
        assert isinstance(file.failure, OSError)
    assert (tmp_path / "a").stat().st_size == 10


def test_places_that_were_jumped_over_are_zeros(disk, tmp_path):
    with disk(4), RememberingFile(tmp_path / "a") as file:
        file.write(b"abcdef")
        file.seek(10)
        file.write(b"k")
        file.seek(0)
        buffer = bytearray(11)
        assert file.readinto(buffer) == 11 and bytes(buffer) == b"abcdef\0\0\0\0k"


@pytest.mark.parametrize("size", [1, 500, 2_000, 5_000, 20_000])
def test_hdf5_ends_with_what_the_disk_said(disk, tmp_path, size):
    refused = pytest.raises(OSError, match="File too large")
    with refused, disk(size), new_hdf5(tmp_path / "a.h5") as (store, _):
        for i in range(40):
            store.create_group(f"g{i}").create_dataset("x", data=np.arange(300), chunks=(50,), compression="gzip")
            store[f"g{i}"].attrs["words"] = "long " * 50
            assert store[f"g{i}/x"][299] == 299


def test_a_disk_that_is_not_full_keeps_everything(tmp_path):
    import h5py

    with new_hdf5(tmp_path / "a.h5") as (store, disk):
        store["x"] = np.arange(1000)
        disk.check()
    with h5py.File(tmp_path / "a.h5") as store:
        assert store["x"][999] == 999
