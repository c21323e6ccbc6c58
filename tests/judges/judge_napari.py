"""napari's word, without a window: run by .venv-judges, prints what it found as JSON.

python judge_napari.py STORE.zarr … CELLS.mlscope … : stores through napari's plugin for OME-Zarr, files of cells as the
layers of mlscope (on PYTHONPATH); all become layers of a viewer's model.
"""

import hashlib
import sys

import numpy as np
from judge_report import report
from napari.components import ViewerModel
from npe2 import PluginManager
from npe2.io_utils import read_get_reader


def shown(layers):
    """The layers of a viewer that was given these tuples."""
    viewer = ViewerModel()
    for layer in layers:
        viewer._add_layer_from_data(*layer)
    return [described(layer) for layer in viewer.layers]


def described(layer):
    data = np.asarray(layer.data[0] if getattr(layer, "multiscale", False) else layer.data)
    return {
        "kind": type(layer).__name__,
        "name": layer.name,
        "shape": list(data.shape),
        "dtype": str(data.dtype),
        "digest": hashlib.sha256(np.ascontiguousarray(data).tobytes()).hexdigest(),
        "scale": [float(v) for v in layer.scale],
        "limits": [float(v) for v in getattr(layer, "contrast_limits", [])],
        "colour": np.round(layer.colormap.colors[-1], 3).tolist() if type(layer).__name__ == "Image" else None,
        "columns": list(layer.features.columns) if hasattr(layer, "features") else [],
    }


def look(path):
    if path.endswith(".mlscope"):
        import mlscope_nb as ms

        return {"reader": "mlscope", "layers": shown(ms.io.napari_layers(ms.load(path)))}
    layers, reader = read_get_reader([path], stack=False, plugin_name="napari-ome-zarr")
    return {"reader": reader.plugin_name, "layers": shown(layers)}


if __name__ == "__main__":
    PluginManager.instance().discover()
    report(look, window=lambda: sorted(m for m in sys.modules if m.startswith(("PyQt", "PySide"))))
