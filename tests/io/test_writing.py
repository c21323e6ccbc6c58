"""What all writers keep to: whole files or none, nothing replaced unasked, nothing outside the target."""

import os
import signal

import numpy as np
import pytest

import mlscope_nb as ms

WRITERS = {
    "h5ad": (ms.io.write_h5ad, "out.h5ad"),
    "h5ad with images": (lambda cells, path, **k: ms.io.write_h5ad(cells, path, images=True, **k), "out.h5ad"),
    "parquet": (ms.io.write_profiles, "out.parquet"),
    "csv": (ms.io.write_profiles, "out.csv"),
    "omezarr": (ms.io.write_omezarr, "out.zarr"),
    "labels": (ms.io.write_labels, "out.csv"),
}
ALL = pytest.mark.parametrize("kind", WRITERS)


def content(path):
    if path.is_dir():
        return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}
    return path.read_bytes()


@pytest.fixture
def plain(every_kind):
    # no missing features: what is warned about is not the matter here
    return every_kind.with_features(every_kind.features.fillna(0))


@ALL
def test_the_path_comes_back_and_nothing_else_is_left(plain, tmp_path, kind):
    write, name = WRITERS[kind]
    for folder in ("with space & ü", "b"):
        (tmp_path / folder).mkdir()
        made = write(plain, str(tmp_path / folder / name))
        assert made == tmp_path / folder / name
        assert os.listdir(tmp_path / folder) == [name]
    assert sorted(os.listdir(tmp_path)) == ["b", "with space & ü"]


@ALL
def test_what_is_there_is_refused_and_stays(plain, tmp_path, kind):
    write, name = WRITERS[kind]
    made = write(plain, tmp_path / name)
    before = content(made)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write(plain.subset(plain.ids[:3]), tmp_path / name)
    assert content(made) == before


@ALL
def test_it_may_be_replaced(plain, tmp_path, kind):
    write, name = WRITERS[kind]
    write(plain, tmp_path / name)
    write(plain.subset(plain.ids[:3]), tmp_path / name, overwrite=True)
    (tmp_path / "other").mkdir()
    alone = write(plain.subset(plain.ids[:3]), tmp_path / "other" / name)
    assert len(content(tmp_path / name)) == len(content(alone))
    assert sorted(os.listdir(tmp_path)) == sorted(["other", name])


@ALL
def test_a_folder_of_other_things_is_never_replaced(plain, tmp_path, kind):
    write, name = WRITERS[kind]
    (tmp_path / name).mkdir()
    (tmp_path / name / "my study.txt").write_text("years of work")
    with pytest.raises(OSError, match="not replaced"):
        write(plain, tmp_path / name, overwrite=True)
    assert (tmp_path / name / "my study.txt").read_text() == "years of work"


def test_a_file_is_not_replaced_by_a_store(plain, tmp_path):
    (tmp_path / "out.zarr").write_text("mine")
    with pytest.raises(FileExistsError, match="no Zarr store"):
        ms.io.write_omezarr(plain, tmp_path / "out.zarr", overwrite=True)
    assert (tmp_path / "out.zarr").read_text() == "mine"


@ALL
def test_a_link_is_replaced_not_what_it_leads_to(plain, tmp_path, kind):
    write, name = WRITERS[kind]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    made = write(plain, tmp_path / "a" / name)
    before = content(made)
    (tmp_path / "b" / name).symlink_to(made)
    write(plain.subset(plain.ids[:3]), tmp_path / "b" / name, overwrite=True)
    assert content(made) == before and not (tmp_path / "b" / name).is_symlink()


@pytest.fixture
def small_disk():
    """Let this process write no file of more than 2 kB, as on a full disk."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@ALL
def test_a_full_disk_leaves_what_was_there(plain, tmp_path, kind, request):
    write, name = WRITERS[kind]
    many = plain.subset(np.repeat(True, len(plain)))
    if kind == "labels":
        many = many.with_obs(many.obs["well"].map(lambda w: w * 100).rename("long")).with_design(label="long")
    made = write(plain.subset(plain.ids[:2]), tmp_path / name)
    before = content(made)
    request.getfixturevalue("small_disk")
    with pytest.raises(OSError):
        write(many, tmp_path / name, overwrite=True)
    with pytest.raises(OSError):
        write(many, tmp_path / f"new {name}")
    assert content(made) == before
    assert os.listdir(tmp_path) == [name]


@ALL
def test_a_missing_folder_is_named(plain, tmp_path, kind):
    write, name = WRITERS[kind]
    with pytest.raises(FileNotFoundError, match=r"no folder '.*not here'"):
        write(plain, tmp_path / "not here" / name)


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [("h5ad", "a.h5", "'.h5ad'"), ("parquet", "a.xlsx", "'.parquet'"), ("labels", "a.txt", "'.csv'")],
)
def test_another_ending_is_refused(plain, tmp_path, kind, name, said):
    with pytest.raises(ValueError, match=said):
        WRITERS[kind][0](plain, tmp_path / name)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", [k for k in WRITERS if k not in ("labels", "csv")])
def test_what_cannot_be_stored_is_named_and_nothing_is_written(plain, tmp_path, kind):
    write, name = WRITERS[kind]
    odd = plain.obs["well"].map(lambda w: [w]).rename("list")
    with pytest.raises(ValueError, match="column 'list'"):
        write(plain.with_obs(odd), tmp_path / name)
    assert os.listdir(tmp_path) == []
