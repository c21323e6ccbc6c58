"""More fields than one machine holds: segment, crop, measure and embed field by field, into a store that lasts."""

from mlscope_nb.pipeline.opening import load
from mlscope_nb.pipeline.runs import run
from mlscope_nb.pipeline.store import problems, status

__all__ = ["load", "problems", "run", "status"]
