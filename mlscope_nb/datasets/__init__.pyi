from .downloads import download, downloadable
from .embedded import about, load_fields, names
from .examples import load
from .simulator import Truth, doses, phenotypes, simulate, simulate_fields

__all__ = [
    "Truth",
    "about",
    "doses",
    "download",
    "downloadable",
    "load",
    "load_fields",
    "names",
    "phenotypes",
    "simulate",
    "simulate_fields",
]
