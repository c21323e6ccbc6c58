"""Where example cells come from: real sets that travel with mlscope."""

from mlscope_nb.datasets.embedded import about, load_fields, names
from mlscope_nb.datasets.examples import load

__all__ = ["about", "load", "load_fields", "names"]
