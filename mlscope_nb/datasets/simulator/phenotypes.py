"""What each treatment does to a cell that responds: two change its shape, two its texture, two one small place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from mlscope_nb.datasets.simulator.bodies import Traits


def _elongated(traits: Traits, strength: float) -> Traits:
    return replace(traits, elongation=traits.elongation + 0.34 * strength)


def _lobed(traits: Traits, strength: float) -> Traits:
    return replace(traits, lobes=traits.lobes + 0.17 * strength)


def _granular(traits: Traits, strength: float) -> Traits:
    return replace(traits, wavelength=traits.wavelength * (1 + 1.5 * strength))


def _bundled(traits: Traits, strength: float) -> Traits:
    return replace(
        traits, alignment=traits.alignment + 3.0 * strength, thickness=traits.thickness * (1 + 0.7 * strength)
    )


def _micronucleus(traits: Traits, strength: float) -> Traits:
    return replace(traits, micronucleus=0.75 * strength)


def _clustered(traits: Traits, strength: float) -> Traits:
    return replace(traits, gathered=0.75 * strength)


def _binucleate(traits: Traits, strength: float) -> Traits:
    return replace(traits, nuclei_apart=0.95 * strength)


# name: (what it does, where it is seen, in which channel, in words)
PHENOTYPES: dict[str, tuple[Callable[[Traits, float], Traits], str, str, str]] = {
    "elongated": (_elongated, "shape", "actin", "cell and nucleus longer, their areas unchanged"),
    "lobed": (_lobed, "shape", "DNA", "nucleus with three lobes, its area unchanged"),
    "granular": (_granular, "texture", "DNA", "chromatin in coarser grains of the same contrast"),
    "bundled": (_bundled, "texture", "actin", "fibres in thick bundles of one direction, with the same contrast"),
    "micronucleus": (_micronucleus, "small place", "DNA", "one small body outside of the nucleus instead of inside"),
    "clustered": (_clustered, "small place", "puncta", "five vesicles in one heap instead of scattered"),
    "binucleate": (_binucleate, "shape", "DNA", "two nuclei of half the area; rare, in every class"),
}


def changed(traits: Traits, phenotype: str, strength: float) -> Traits:
    """Return the traits of a cell with a phenotype; "none" and strength 0 change nothing."""
    if phenotype == "none" or strength == 0:
        return traits
    return PHENOTYPES[phenotype][0](traits, strength)


def without_cue(traits: Traits, phenotype: str, strength: float) -> Traits:
    """Return the traits of the same cell without what its phenotype shows.

    What lies in one small place is left out; a shape or a texture goes back to what it was.
    """
    if phenotype != "none" and PHENOTYPES[phenotype][1] == "small place":
        return replace(changed(traits, phenotype, strength), cue_hidden=True)
    return traits


def phenotypes() -> pd.DataFrame:
    """Return what each treatment of the simulator does: where it is seen, in which channel, in words.

    Examples
    --------
    >>> phenotypes().loc["micronucleus", "seen_in"]
    'small place'
    """
    rows = {k: {"seen_in": v[1], "channel": v[2], "meaning": v[3]} for k, v in PHENOTYPES.items()}
    return pd.DataFrame.from_dict(rows, orient="index")
