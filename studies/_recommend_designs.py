"""The studies that `predict_recommend.py` asks for advice about: size, shift between plates, content, and nulls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mlscope_nb.predict.candidates import Candidate

NETWORKS: tuple[Candidate, ...] = ("self-supervised", "small network", "fine-tuned")
SHAPES, TEXTURES, PLACES = ("elongated", "lobed"), ("granular", "bundled"), ("micronucleus", "clustered")


@dataclass(frozen=True)
class Design:
    """One simulated study.

    Parameters
    ----------
    classes
        Treatments beside the control; empty: all six.
    n_plates, wells, n_cells
        Plates of the study, wells drawn on each (half of those of each class are the study), cells in a well.
    labels
        "true"; "exchanged" between wells of a plate, on new plates too; "nested": each plate of the study holds one
        class, plates in turn, while new plates hold all.
    given
        What the user has: "images" (measured and embedded), "intensities" (images, and of measured features the mean
        intensities alone), "table" (measured features, no images).
    channels, masks
        Channels kept (empty: all), and whether there are masks; without them the foreground is guessed.
    pretrained
        Whether a network trained on photographs is at hand; without it two models fewer are offered.
    networks
        Models trained on the images that are offered as well.
    doses
        What is not at its default in the simulator.
    """

    classes: tuple[str, ...] = ()
    n_plates: int = 4
    wells: int = 16
    n_cells: int = 10
    labels: Literal["true", "exchanged", "nested"] = "true"
    given: Literal["images", "intensities", "table"] = "images"
    channels: tuple[str, ...] = ()
    masks: bool = True
    pretrained: bool = True
    networks: tuple[Candidate, ...] = ()
    doses: Mapping[str, float] = field(default_factory=dict)

    @property
    def null(self) -> bool:
        """Whether there is nothing to predict, or nothing that this layout could show."""
        return self.labels != "true" or self.doses.get("strength") == 0


NO_EFFECT = {"strength": 0.0}
STRONG = {"strength": 1.6}
VERY_STRONG = {"strength": 3.0}
SHIFT = dict.fromkeys(("plate_size", "plate_gain", "plate_background", "plate_blur"), 3.0)
NULLS = {
    "no effect, all classes": Design(n_cells=6, given="table", doses=NO_EFFECT),
    "no effect, two classes, three plates": Design(("elongated",), n_plates=3, n_cells=6, doses=NO_EFFECT),
    "no effect, two classes, many wells": Design(("bundled",), wells=32, n_cells=4, given="table", doses=NO_EFFECT),
    "no effect, plates that differ strongly": Design(SHAPES, n_cells=6, doses={**NO_EFFECT, **SHIFT}),
    "no effect, wells that differ strongly": Design(n_cells=6, given="table", doses={**NO_EFFECT, "well": 3.0}),
    "no effect, one class larger": Design(PLACES, n_cells=8, given="table", doses={**NO_EFFECT, "class_size": 1.5}),
    "no effect, one class marked in a corner": Design(PLACES, n_cells=6, doses={**NO_EFFECT, "shortcut": 0.8}),
    "labels exchanged, all classes": Design(n_cells=6, labels="exchanged", given="table"),
    "labels exchanged, strong textures": Design(TEXTURES, n_cells=6, labels="exchanged", doses=STRONG),
    "labels exchanged, shapes": Design(SHAPES, n_cells=8, labels="exchanged", given="table"),
    "nested, elongated": Design(("elongated",), labels="nested", given="table", doses=STRONG),
    "nested, granular": Design(("granular",), n_cells=8, labels="nested", doses=STRONG),
    "nested, six plates": Design(TEXTURES, n_plates=6, n_cells=6, labels="nested", given="table", doses=STRONG),
    "nested, bundled": Design(("bundled",), labels="nested", given="table", doses=STRONG),
    "nested, no effect": Design(("lobed",), n_cells=6, labels="nested", given="table", doses=NO_EFFECT),
}
MORE = {
    "one well of each class on each of two plates": Design(n_plates=2, wells=16, n_cells=6, given="table"),
    "few cells of strong phenotypes": Design(n_plates=2, n_cells=5, given="table", doses=STRONG),
    "three plates, few cells": Design(n_plates=3, n_cells=4, given="table", doses=STRONG),
    "shapes, one plate": Design(SHAPES, n_plates=1, n_cells=10, given="table", doses=STRONG),
    "textures, two plates": Design(TEXTURES, n_plates=2, n_cells=8, given="table", doses=STRONG),
}
FEATURES = {
    "table, shapes": Design(SHAPES, given="table"),
    "table, all classes, six plates": Design(n_plates=6, given="table"),
    "shape alone, strong": Design(("elongated",), doses=STRONG),
    "small places": Design(PLACES, n_cells=10),
    "intensities measured alone, textures": Design(TEXTURES, given="intensities", n_cells=16, doses=STRONG),
    "all classes, plates alike": Design(n_cells=16, doses={"batch": 0.3}),
    "intensities measured alone, granular": Design(("granular",), given="intensities", n_cells=20, doses=STRONG),
    "texture, few cells": Design(TEXTURES, n_cells=6),
    "all classes, more cells": Design(n_cells=20),
    "table, strong shift": Design(given="table", doses=SHIFT),
    "textures, more cells": Design(TEXTURES, n_cells=24),
    "intensities measured alone, strong shift": Design(
        TEXTURES, given="intensities", n_cells=16, doses={**STRONG, **SHIFT}
    ),
    "all classes, six plates, many cells": Design(n_plates=6, wells=32, n_cells=16),
    "strong textures, six plates, many cells": Design(TEXTURES, n_plates=6, wells=32, n_cells=16, doses=STRONG),
}
DNA, ACTIN, PUNCTA = ("DNA",), ("actin",), ("puncta",)
TRAINED = {
    "micronucleus": Design(("micronucleus",), channels=DNA, n_cells=25, networks=("small network",)),
    "granular, no masks": Design(("granular",), channels=DNA, masks=False, n_cells=25, networks=("fine-tuned",)),
    "clustered, no masks": Design(
        ("clustered",), channels=PUNCTA, masks=False, n_cells=25, networks=("self-supervised", "small network")
    ),
    "strong granular, no masks": Design(
        ("granular",), channels=DNA, masks=False, n_cells=25, networks=("fine-tuned",), doses=STRONG
    ),
}
# Mean intensities say next to nothing about these.
INTENSITIES = {
    "intensities measured alone, bundled": Design(
        ("bundled",), given="intensities", channels=ACTIN, n_cells=24, doses=VERY_STRONG
    ),
    "intensities measured alone, bundled, strong shift": Design(
        ("bundled",), given="intensities", channels=ACTIN, n_cells=24, doses={**VERY_STRONG, **SHIFT}
    ),
    "very strong textures, six plates": Design(
        TEXTURES, n_plates=6, wells=32, n_cells=12, channels=(*DNA, *ACTIN), doses=VERY_STRONG
    ),
    "intensities measured alone, very strong granular": Design(
        ("granular",), given="intensities", channels=DNA, n_cells=24, doses=VERY_STRONG
    ),
}
ALONE: dict[str, Any] = {"given": "intensities", "pretrained": False, "networks": ("self-supervised",)}
TRAINED_ALONE = {
    "intensities measured alone, no network at hand, bundled": Design(
        ("bundled",), channels=ACTIN, n_cells=30, doses=VERY_STRONG, **ALONE
    ),
    "intensities measured alone, no network at hand, bundled, many cells": Design(
        ("bundled",), channels=ACTIN, n_cells=40, doses=STRONG, **ALONE
    ),
    "strong micronucleus, many cells": Design(
        ("micronucleus",), channels=DNA, n_cells=40, networks=("small network",), doses=STRONG
    ),
}
# As many wells as it takes until twice as many bring little more.
WELLS_DIFFER = {**VERY_STRONG, "well": 3.0}
MANY_WELLS = {
    "intensities measured alone, bundled, many wells": Design(
        ("bundled",), n_plates=6, wells=32, given="intensities", channels=ACTIN, n_cells=12, doses=VERY_STRONG
    ),
    "intensities measured alone, bundled, many wells that differ strongly": Design(
        ("bundled",), n_plates=6, wells=32, given="intensities", channels=ACTIN, n_cells=12, doses=WELLS_DIFFER
    ),
    "intensities measured alone, granular, many wells that differ strongly": Design(
        ("granular",), n_plates=6, wells=32, given="intensities", channels=DNA, n_cells=12, doses=WELLS_DIFFER
    ),
    "intensities measured alone, no network at hand, granular": Design(
        ("granular",), channels=DNA, n_cells=40, doses=VERY_STRONG, **ALONE
    ),
    "intensities measured alone, granular, very many wells": Design(
        ("granular",), n_plates=6, wells=64, given="intensities", channels=DNA, n_cells=8, doses=VERY_STRONG
    ),
    "intensities measured alone, granular, very many wells that differ strongly": Design(
        ("granular",), n_plates=6, wells=64, given="intensities", channels=DNA, n_cells=8, doses=WELLS_DIFFER
    ),
}
# A small thing in a small place, which no feature measures.
SMALL_PLACES = {
    "very strong micronucleus, many cells": Design(
        ("micronucleus",), channels=DNA, n_cells=40, networks=("small network",), doses=VERY_STRONG
    ),
    "strong micronucleus, more cells": Design(
        ("micronucleus",), channels=DNA, n_cells=56, networks=("small network",), doses=STRONG
    ),
}
DESIGNS = {**NULLS, **MORE, **TRAINED, **FEATURES, **INTENSITIES, **TRAINED_ALONE, **MANY_WELLS, **SMALL_PLACES}
