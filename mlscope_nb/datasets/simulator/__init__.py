"""Microscopy studies made up from a seed, with an answer key."""

from mlscope_nb.datasets.simulator.doses import doses
from mlscope_nb.datasets.simulator.field_study import simulate_fields
from mlscope_nb.datasets.simulator.phenotypes import phenotypes
from mlscope_nb.datasets.simulator.study import simulate
from mlscope_nb.datasets.simulator.truth import Truth

__all__ = ["Truth", "doses", "phenotypes", "simulate", "simulate_fields"]
