"""Fields written as a folder come back pixel by pixel, and nothing is written that has no safe name."""

import numpy as np
import pandas as pd
import pytest

import mlscope_nb as ms


def fields(names=("P1_A01", "P1_B07"), channels=("DNA", "actin"), dtype="uint16", masks=True):
    rng = np.random.default_rng(3)
    images = [rng.integers(0, 200, (len(channels), 20 + i, 30)).astype(dtype) for i in range(len(names))]
    labels = [(image[0] > 100).astype("int32") * 70_000 for image in images]
    obs = pd.DataFrame({"drug": [f"d{i}" for i in range(len(names))]}, index=list(names))
    return ms.Fields(obs, images, labels if masks else None, channels=list(channels), label="drug")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32"])
def test_what_was_written_comes_back(tmp_path, dtype):
    made = fields(dtype=dtype)
    folder = ms.io.write_fields(made, tmp_path / "mine")
    order = {name: name for name in made.channels}
    again = ms.io.recognise(folder).change(label="drug", channels=order).read()
    assert again.channels == made.channels
    assert list(again.obs["drug"]) == list(made.obs["drug"])
    for one, other in zip(made.images, again.images, strict=True):
        assert one.dtype == other.dtype and (one == other).all()
    for one, other in zip(made.masks, again.masks, strict=True):
        # Labels are numbered anew in reading; what is an object stays one.
        assert ((np.asarray(one) > 0) == (np.asarray(other) > 0)).all()


def test_an_older_folder_is_replaced_whole_or_not_at_all(tmp_path):
    folder = ms.io.write_fields(fields(), tmp_path / "mine")
    before = sorted(p.name for p in folder.rglob("*"))
    with pytest.raises(FileExistsError, match="overwrite=True"):
        ms.io.write_fields(fields(names=["x"]), folder)
    with pytest.raises(ValueError, match="complex128"):
        bad = fields(names=["x"], masks=False)
        images = [a.astype("complex128") for a in bad.images]
        ms.io.write_fields(_Fields(bad, images), folder, overwrite=True)
    assert sorted(p.name for p in folder.rglob("*")) == before
    ms.io.write_fields(fields(names=["x"], masks=False), folder, overwrite=True)
    assert sorted(p.name for p in folder.iterdir()) == ["layout.csv", "x_DNA.tif", "x_actin.tif"]
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


class _Fields:
    """Fields that hold what Fields refuses."""

    def __init__(self, made, images):
        self.ids, self.channels, self.masks, self.images = made.ids, made.channels, None, images

    def __len__(self):
        return len(self.ids)

    def __iter__(self):
        return iter(zip(self.ids, self.images, strict=True))


@pytest.mark.parametrize("name", ["../out", "a/b", ".hidden", "a\\b", "con\x00", "a\nb"])
def test_names_that_are_no_names_of_files_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="Files cannot be called after field"):
        ms.io.write_fields(fields(names=[name, "b"]), tmp_path / "mine")
    with pytest.raises(ValueError, match="Files cannot be called after channel"):
        ms.io.write_fields(fields(channels=[name, "b"]), tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []


def test_no_fields_no_folder(tmp_path):
    with pytest.raises(ValueError, match="0 rows"):
        ms.io.write_fields(fields().subset([]), tmp_path / "mine")


def test_masks_are_found_again_where_names_say_plate_and_well(tmp_path):
    """Names such as P1-A01-f1_DNA.tif are read by plate and well; their mask is called P1-A01-f1.tif."""
    ids = pd.Index(["P1-A01-f1", "P1-A02-f1"], name="field_id")
    obs = pd.DataFrame({"plate": "P1", "well": ["A01", "A02"]}, index=ids)
    image, one = np.ones((2, 5, 6), np.uint16), np.zeros((5, 6), np.int32)
    one[:2, :2] = 1
    two = one + 2 * one[::-1, ::-1]
    fields = ms.Fields(obs, [image, image], channels=["DNA", "actin"]).with_masks([one, two])
    back = ms.io.recognise(ms.io.write_fields(fields, tmp_path / "plates")).read()
    assert list(back.obs["well"]) == ["A01", "A02"] and [m.max() for m in back.masks] == [1, 2]
