"""What has to work wherever mlscope is installed: one line for each thing tried, an error where it does not.

    python smoke.py FOLDER NOTEBOOKS      # an empty folder to write in, and a copy of the notebooks

`tools/wheel.py` runs it in an environment of its own. Small, and nothing is judged but that it works: what is right is
for the tests and studies to say.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HEAVY = {"torch", "umap", "sklearn", "holoviews", "bokeh", "anndata"}
PICTURE_NETWORKS = ("stain", "stain 1", "denoise", "segment", "fly")
CLASS_NETWORKS = ("phenotypes", "trapped", "untrapped")


class Broken(Exception):
    """Something that should be there, or should have come out, did not; the message says what."""


def need(condition: object, otherwise: str) -> None:
    """Stop where a condition does not hold."""
    if not condition:
        raise Broken(otherwise)


@contextmanager
def tried(what: str) -> Iterator[None]:
    """Time one thing and print that it worked."""
    begun = time.perf_counter()
    yield
    print(f"ok  {what:<60} {time.perf_counter() - begun:5.1f} s", flush=True)


def try_import() -> None:
    """The package loads by itself, from where it was installed, without its heavy companions."""
    import mlscope_nb as ms

    need(HEAVY.isdisjoint(sys.modules), f"'import mlscope_nb' also loads {sorted(HEAVY & set(sys.modules))}.")
    need(Path(ms.__file__).is_relative_to(sys.prefix), f"mlscope_nb comes from {ms.__file__}, not from {sys.prefix}.")


def try_embedded(folder: Path) -> None:
    """Real cells that travel with the package: features, a map, a view saved as a page, an evidence sheet."""
    import mlscope_nb as ms

    fly = ms.datasets.load("fly")
    few = fly.subset(fly.ids[::8])
    measured = few.with_features(ms.features.measure(few))
    mapped = measured.with_embedding("umap", ms.explore.umap(ms.features.select(measured)))
    page = ms.views.explore(mapped, "umap", colour="position", autosave=False).to_html(folder / "map.html")
    need(few.ids[0] in page.read_text("utf-8"), f"The page of the view does not hold its cells: {page}")
    sheet = ms.risks.report(mapped, [ms.risks.audit(mapped)], folder / "evidence.html")
    need(str(len(few)) in sheet.with_suffix(".md").read_text("utf-8"), f"{len(few)} cells are not in {sheet}")


def try_study() -> None:
    """A simulated study: a score of models that never saw the wells they are tested on, with its interval."""
    import mlscope_nb as ms

    cells, _ = ms.datasets.simulate(2, 8, 10, seed=0)
    score = ms.predict.cross_validate(cells.with_features(ms.features.measure(cells)), n_splits=2)
    need(score.interval.low <= score.balanced_accuracy <= score.interval.high, f"The score is no number: {score}")


def try_fields(folder: Path) -> None:
    """Pictures in a folder: recognise, read, find cells, cut them out."""
    import mlscope_nb as ms

    fields, _ = ms.datasets.simulate_fields(1, 2, 10, seed=0)
    ms.io.write_fields(fields, folder / "plate", masks=False)
    read = ms.io.recognise(folder / "plate").read()
    need(
        len(ms.io.crop(ms.io.segment_cells(ms.io.segment(read)), size=64)) > 0, "No cell was found in simulated fields."
    )


def try_networks() -> None:
    """The networks that travel with the package load, and one of them says which pixels it looked at."""
    import mlscope_nb as ms

    for name in PICTURE_NETWORKS:
        need(ms.predict.images.shipped(name).inputs, f"The network '{name}' takes no picture.")
    networks = [ms.predict.shipped(name) for name in CLASS_NETWORKS]
    cells, _ = ms.datasets.simulate(1, 8, 2, seed=0)
    maps = ms.explain.attribute(networks[0], cells, method="gradcam", ids=cells.ids[:2])
    need(maps.shape == (2, *cells.images.shape[-2:]), f"A map for each cell was expected, found {maps.shape}.")


def try_notebook(folder: Path) -> None:
    """The first notebook from top to bottom, as a learner who only runs cells; what it writes lies beside it."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(folder / "00_start_here.ipynb", as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    loud = [output.text for output in outputs if output.get("name") == "stderr"]
    need(outputs and not loud, f"The notebook wrote to stderr: {loud}")


def main(folder: Path, notebooks: Path) -> int:
    """Try everything; 0 where all of it works."""
    with tried("import, without the heavy packages"):
        try_import()
    with tried("embedded cells, features, UMAP, a view as a page, audit, sheet"):
        try_embedded(folder)
    with tried("simulated study, cross-validation"):
        try_study()
    with tried("fields to a folder and back, segmentation, crops"):
        try_fields(folder)
    with tried("shipped networks, attribution"):
        try_networks()
    with tried("notebook 00, exercises not answered"):
        try_notebook(notebooks)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
