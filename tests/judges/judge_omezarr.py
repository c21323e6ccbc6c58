"""The word of ome-zarr-models and ome-zarr-py on OME-Zarr stores: run by .venv-judges, prints what it found as JSON.

python judge_omezarr.py STORE.zarr … : holds every group to the models of its version, and reads all pixels.
"""

import hashlib
from pathlib import Path

import numpy as np
import zarr
from judge_report import report
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models import v04, v05


def models_of(group):
    """The models that fit what a group says it is, by the key of its description."""
    attributes = group.attrs.asdict()
    version = "0.5" if "ome" in attributes else "0.4"
    described = attributes.get("ome", attributes)
    models = v05 if version == "0.5" else v04
    kinds = {
        "plate": models.HCS,
        "well": models.Well,
        "labels": models.Labels,
        "bioformats2raw.layout": models.bioformats2raw.BioFormats2Raw,
        "multiscales": models.ImageLabel if "image-label" in described else models.Image,
    }
    return version, [model for key, model in kinds.items() if key in described]


def checked(group):
    """What each model says of a group: its name, or the error."""
    said = []
    _, models = models_of(group)
    for model in models:
        try:
            model.from_zarr(group)
            said.append(model.__name__)
        except (ValueError, KeyError, TypeError) as error:
            said.append(f"{model.__name__} refuses: {str(error)[:500]}")
    return said


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def pixels(path):
    """What ome-zarr-py reads of one image: its labels too."""
    nodes = list(Reader(parse_url(path))())
    return [
        {
            "digest": digest(np.asarray(node.data[0])),
            "dtype": str(node.data[0].dtype),
            "shapes": [list(level.shape) for level in node.data],
            "name": node.metadata.get("name"),
            "axes": [axis["name"] for axis in node.metadata["axes"]],
            "units": [axis.get("unit") for axis in node.metadata["axes"]],
            "scale": node.metadata["coordinateTransformations"][0][0]["scale"],
        }
        for node in nodes
        if node.data
    ]


def look(path):
    root = zarr.open_group(path, mode="r")
    groups = {"": root, **{name: g for name, g in root.members(max_depth=None) if isinstance(g, zarr.Group)}}
    images = [
        n for n, g in groups.items() if "multiscales" in g.attrs.get("ome", g.attrs) and "labels" not in n.split("/")
    ]
    return {
        "versions": sorted({models_of(g)[0] for g in groups.values() if models_of(g)[1]}),
        "groups": {name: checked(group) for name, group in groups.items() if models_of(group)[1]},
        "images": {name: pixels(str(Path(path, name))) for name in images},
    }


if __name__ == "__main__":
    report(look)
