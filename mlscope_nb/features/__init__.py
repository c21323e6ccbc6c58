"""Cells as numbers, under the names that CellProfiler gave them."""

from mlscope_nb.features.measurements import families, measure

__all__ = ["families", "measure"]
