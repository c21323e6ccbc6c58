"""Columns: what each family of features measures in one part of the cells, under CellProfiler's names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from mlscope_nb.features.correlation import correlation
from mlscope_nb.features.granularity import Openings, granularity
from mlscope_nb.features.intensity import intensity, places
from mlscope_nb.features.moments import moments
from mlscope_nb.features.radial import radial
from mlscope_nb.features.regions import Floats, Regions
from mlscope_nb.features.shape import centres, shape
from mlscope_nb.features.texture import texture
from mlscope_nb.features.zernike import radial_zernike, zernike

Family = Literal[
    "shape",
    "moments",
    "zernike",
    "intensity",
    "texture",
    "granularity",
    "radial",
    "radial_zernike",
    "correlation",
    "neighbours",
    "location",
]
OF_THE_MASK = {"shape": shape, "moments": moments, "zernike": zernike}
CATEGORIES = {
    "intensity": "Intensity",
    "texture": "Texture",
    "granularity": "Granularity",
    "radial": "RadialDistribution",
    "radial_zernike": "RadialDistribution",
    "location": "Location",
}


class Options(NamedTuple):
    """What to measure, and with which settings."""

    families: tuple[Family, ...]
    channels: tuple[str, ...]
    texture_scales: tuple[int, ...]
    full_scale: float


def measure_region(openings: Openings, regions: Regions, options: Options) -> Iterator[tuple[str, Floats]]:
    """Measure one part of each cell: names without the part's, and one value per cell."""
    for family in options.families:
        if family in OF_THE_MASK:
            yield from ((f"AreaShape_{name}", value) for name, value in OF_THE_MASK[family](regions).items())
        elif family == "correlation":
            found = correlation(openings.images, regions, options.channels)
            yield from ((f"Correlation_{name}", value) for name, value in found)
        elif family in CATEGORIES:
            if family == "location":
                yield from ((f"AreaShape_{name}", value) for name, value in centres(regions).items())
            per_channel = _per_channel(family, openings, regions, options)
            for channel, values in zip(options.channels, per_channel, strict=True):
                yield from ((_name(CATEGORIES[family], key, channel), value) for key, value in values.items())


def _per_channel(family: Family, openings: Openings, regions: Regions, options: Options) -> Iterator[dict[str, Floats]]:
    images = openings.images
    if family == "granularity":
        return granularity(openings, regions)
    if family == "texture":
        return texture(images, regions, full_scale=options.full_scale, scales=options.texture_scales)
    simple = {
        "intensity": intensity,
        "radial": radial,
        "radial_zernike": radial_zernike,
        "location": places,
    }
    return simple[family](images, regions)


def _name(category: str, key: str, channel: str) -> str:
    """Put the channel where CellProfiler puts it: at the end, or where the key has a bar."""
    before, _, after = key.partition("|")
    return "_".join(word for word in (category, before, channel, after) if word)
