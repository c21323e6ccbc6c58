"""How good is the default segmentation on real fields, beside plain thresholds?

    python studies/segmentation.py

One path, no setting per image or per data set: `mlscope_nb.io.objects.find_objects(image)`. Beside it, in the same
run, the thresholds that a script of three lines would use: Otsu's, and a local one (Gaussian mean of 51 px), each told
by hand whether objects are bright or dark, with connected components of at least 25 px as objects. Data: the fly fields
of the package against CellProfiler's recipe for them (tests/reference/example_fly.py), and 84 fields of the Data
Science Bowl 2018 with hand-made masks (../shared/data/dsb2018_subset; the study ends with a message where it is
absent). Every figure is a mean over fields with its standard deviation over fields. Written to
results/segmentation.json and RESULTS.md, and printed as one Markdown table.

The default settings were chosen on these same fields: the figures say how well one path fits five kinds of images,
not how it will do on a sixth. tests/io/test_segmentation_accuracy.py tests cellprofiler_ExampleHuman, on which nothing
but `edges` of grow_cells was looked at.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage
from skimage import filters
from skimage import io as skio

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mlscope_nb.datasets import load_fields
from mlscope_nb.io.objects import find_objects, grow_cells
from studies._record import record
from tests.reference.example_fly import fly_nuclei
from tests.reference.overlap import f1, foreground_iou

DSB = Path(__file__).resolve().parents[2] / "shared" / "data" / "dsb2018_subset"
LEAST_AREA_PX = 25
LOCAL_PX = 51


def by_mlscope(image: np.ndarray, bright: bool) -> np.ndarray:
    """The default path; that objects are bright or dark is not told."""
    return find_objects(image)[0]


def by_otsu(image: np.ndarray, bright: bool) -> np.ndarray:
    grey = _grey(image)
    level = filters.threshold_otsu(grey)
    return _components(grey > level if bright else grey < level)


def by_local_threshold(image: np.ndarray, bright: bool) -> np.ndarray:
    grey = _grey(image)
    local = filters.threshold_local(grey, LOCAL_PX)
    return _components((grey > local) & (grey > grey.mean()) if bright else (grey < local) & (grey < grey.mean()))


METHODS: dict[str, Callable[[np.ndarray, bool], np.ndarray]] = {
    "mlscope": by_mlscope,
    "Otsu, polarity by hand": by_otsu,
    "local threshold, polarity by hand": by_local_threshold,
}


def _grey(image: np.ndarray) -> np.ndarray:
    return image.astype(float) if image.ndim == 2 else image.mean(axis=0)


def _components(foreground: np.ndarray) -> np.ndarray:
    labels, _ = ndimage.label(foreground)
    keep = np.bincount(labels.ravel()) >= LEAST_AREA_PX
    keep[0] = False
    return np.where(keep[labels], labels, 0).astype(np.int32)


def cases() -> Iterator[tuple[str, np.ndarray, np.ndarray, bool]]:
    """Yield group, image, true labels, and whether objects are bright."""
    for _, image in load_fields("fly"):
        dna = np.asarray(image[0])
        yield "fly DNA (CellProfiler recipe, global cross-entropy)", dna, fly_nuclei(dna), True
        whole = fly_nuclei(dna, drop_border=False)
        yield "fly DNA (the same, nuclei at the border kept)", dna, whole, True
    for row in pd.read_csv(DSB / "meta.csv").itertuples():
        image, truth = skio.imread(DSB / str(row.image)), skio.imread(DSB / str(row.mask)).astype(np.int32)
        image = image if image.ndim == 2 else np.moveaxis(image[..., :3], -1, 0)
        yield f"DSB 2018 {row.kind}", image, truth, row.kind == "fluorescence"


def scores() -> pd.DataFrame:
    """One row a field and method."""
    rows = []
    for group, image, truth, bright in cases():
        for name, method in METHODS.items():
            start = time.process_time()
            labels = method(image, bright)
            seconds = time.process_time() - start
            found = {"foreground IoU": foreground_iou(labels, truth), "F1 at IoU 0.5": f1(labels, truth)}
            counts = {"objects found": int(labels.max(initial=0)), "objects true": len(np.unique(truth)) - 1}
            rows.append({"group": group, "method": name, **found, **counts, "seconds": seconds})
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """Group → method → mean ± standard deviation over fields."""
    figures: dict[str, Any] = {}
    for (group, method), part in table.groupby(["group", "method"], sort=False):
        of_group = figures.setdefault(
            str(group), {"fields": len(part), "objects true": int(part["objects true"].sum())}
        )
        of_group[str(method)] = {
            **{
                name: f"{part[name].mean():.3f} ± {part[name].std():.3f}"
                for name in ("foreground IoU", "F1 at IoU 0.5")
            },
            "objects found": int(part["objects found"].sum()),
            "CPU seconds a field, median": round(float(part["seconds"].median()), 3),
        }
    return figures


def cell_seconds() -> float:
    """CPU seconds to grow the cells of one fly field, median of the three."""
    found = []
    for _, image in load_fields("fly"):
        nuclei = find_objects(np.asarray(image[0]))[0]
        start = time.process_time()
        grow_cells(np.asarray(image[1]), nuclei)
        found.append(time.process_time() - start)
    return round(float(np.median(found)), 3)


def markdown(figures: dict[str, Any]) -> str:
    """The figures as one table."""
    columns = ["foreground IoU", "F1 at IoU 0.5", "objects found", "CPU seconds a field, median"]
    lines = ["| group (fields) | method | " + " | ".join(columns) + " |", "|" + "---|" * (len(columns) + 2)]
    for group, of_group in figures.items():
        for method in METHODS:
            values = " | ".join(str(of_group[method][column]) for column in columns)
            lines.append(f"| {group} ({of_group['fields']}) | {method} | {values} |")
    return "\n".join(lines)


def main() -> None:
    if not DSB.is_dir():
        sys.exit(
            "The Data Science Bowl fields are not beside the checkout (../shared/data/dsb2018_subset): nothing done."
        )
    figures = summary(scores())
    print(markdown(figures))
    record("segmentation", {**figures, "CPU seconds to grow the cells of a fly field": cell_seconds()})


if __name__ == "__main__":
    main()
