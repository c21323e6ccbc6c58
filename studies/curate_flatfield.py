"""How well is the flat field found? Relative RMS error against the true light, both with mean 1.

    python studies/curate_flatfield.py [simulated] [made_up] [real]    # all: about 10 minutes on a core
    python studies/curate_flatfield.py --export FOLDER     # writes the first fields for _peers_flatfield.py, and ends

On `simulate_fields` with its default doses (illumination, plate background, faults), on an independent generator with
other cells, backgrounds, dark levels and off-centre vignettes, and on real fields multiplied by a known light. The
dark level is not told, unless a row says so. Seeds from 2000 were not looked at before. BaSiCPy's figures, on the same
fields in an environment of its own, come from peers/flatfield_basicpy.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mlscope_nb.curate import estimate_flatfield
from mlscope_nb.curate.light import fit_light
from mlscope_nb.curate.tiles import tiles_of
from mlscope_nb.datasets import simulate_fields
from studies._flatfield_fields import KINDS, made_up, real, true_light, vignette
from studies._record import record

SEEDS = (2000, 2001)
REPEATS = 2
PEER = Path(__file__).resolve().parent / "peers" / "flatfield_basicpy.json"


def simulated(seed: int, folder: Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return 96 fields (N, C, Y, X) of one simulated plate and its true light; from a folder where they lie there."""
    files = [folder / f"simulate_fields seed {seed} channel {c}.npz" for c in range(3)] if folder else []
    if files and all(file.exists() for file in files):
        held = [np.load(file) for file in files]
        return np.stack([h["images"] for h in held], axis=1), held[0]["truth"]
    fields, _ = simulate_fields(1, 96, 40, seed=seed)
    return np.stack([np.asarray(image) for image in fields.images]), true_light(seed, 400)


def error_of(flat: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((flat / truth - 1) ** 2)))


class Row:
    """Errors of one row of the table, and where split halves were asked for, the errors expected from them."""

    def __init__(self) -> None:
        self.errors: list[float] = []
        self.expected: list[float] = []
        self.trusted: list[bool] = []

    def add(self, images: np.ndarray, truth: np.ndarray) -> None:
        """Estimate with split halves; images (N, C, Y, X) or (N, Y, X)."""
        (batch,) = estimate_flatfield(images).batches.values()
        self.errors += [error_of(flat, truth) for flat in batch.flat]
        self.expected += batch.error.tolist()
        self.trusted += batch.trusted.tolist()

    def add_plain(self, images: np.ndarray, truth: np.ndarray, dark: float | None = None) -> None:
        """Estimate only, which takes a third of the time; the flat field is the same."""
        stack = images if images.ndim == 4 else images[:, None]
        for c in range(stack.shape[1]):
            self.errors.append(error_of(fit_light(tiles_of(stack[:, c]), dark).flat(truth.shape), truth))

    def figures(self) -> dict[str, Any]:
        """Return the row as figures."""
        found: dict[str, Any] = {
            "relative RMS error, median": float(np.median(self.errors)),
            "largest": float(np.max(self.errors)),
            "estimates": len(self.errors),
        }
        if self.expected:
            found["split-half error, median"] = float(np.median(self.expected))
            found["called trustworthy"] = f"{sum(self.trusted)} of {len(self.trusted)} with split halves"
        return found


def on_simulator(folder: Path | None = None) -> dict[str, Any]:
    """Plates of `simulate_fields` at default doses, three channels each."""
    rows = {name: Row() for name in ("96 fields", "24 fields", "96 fields, dark level given")}
    uneven = []
    for seed in SEEDS:
        images, truth = simulated(seed, folder)
        uneven.append(float(truth.std()))
        rows["96 fields"].add(images, truth)
        rows["24 fields"].add(images[:24], truth)
        for start in range(24, 96, 24):
            rows["24 fields"].add_plain(images[start : start + 24], truth)
        rows["96 fields, dark level given"].add_plain(images, truth, dark=200)
        print(seed, {name: row.figures() for name, row in rows.items()}, flush=True)
    return {"uneven (RMS)": uneven, **{name: row.figures() for name, row in rows.items()}}


def on_made_up() -> dict[str, Any]:
    """Each kind of made-up fields, with other light each time."""
    figures: dict[str, Any] = {}
    for k, (name, kind) in enumerate(KINDS.items()):
        rows, uneven = {n: Row() for n in (96, 24)}, []
        for repeat in range(REPEATS):
            rng = np.random.default_rng([2100 + repeat, k])
            truth = vignette(256, rng)
            images = made_up(kind, 96, truth, rng)
            uneven.append(float(truth.std()))
            rows[96].add_plain(images, truth)
            rows[24].add_plain(images[:24], truth)
        figures[name] = {"uneven (RMS)": uneven, **{f"{n} fields": row.figures() for n, row in rows.items()}}
        print(name, figures[name], flush=True)
    return figures


def on_real() -> dict[str, Any]:
    """The estimate with a known light, divided by the one without: real fields have a light of their own too."""
    figures: dict[str, Any] = {}
    for k, (name, images) in enumerate(real().items()):
        own = estimate_flatfield(images).flat[0].astype(float)
        row, beside = [], []
        for repeat in range(REPEATS):
            truth = vignette(max(images.shape[1:]), np.random.default_rng([2200 + repeat, k]))
            truth = truth[: images.shape[1], : images.shape[2]]
            truth = truth / truth.mean()
            top = float(np.iinfo(images.dtype).max)
            dimmed = np.rint(images * (truth / truth.max())).clip(0, top).astype(images.dtype)
            flat = estimate_flatfield(dimmed).flat[0] / own
            row.append(error_of(flat / flat.mean(), truth))
            beside.append(float(truth.std()))
        figures[name] = {
            "relative RMS error, median": float(np.median(row)),
            "largest": max(row),
            "uneven without correction, median": float(np.median(beside)),
            "own unevenness found (RMS)": float(own.std()),
        }
        print(name, figures[name], flush=True)
    return figures


def export(folder: Path) -> None:
    """Write one plate of the simulator and two kinds of made-up fields with their light, for the peer."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in SEEDS[:2]:
        images, truth = simulated(seed)
        for c in range(images.shape[1]):
            np.savez(folder / f"simulate_fields seed {seed} channel {c}.npz", images=images[:, c], truth=truth)
    for k, name in enumerate(KINDS):
        if k < 4:
            rng = np.random.default_rng([2100, k])
            truth = vignette(256, rng)
            np.savez(folder / f"{name}.npz", images=made_up(KINDS[name], 96, truth, rng), truth=truth)


PARTS: dict[str, Callable[[], dict[str, Any]]] = {"simulated": on_simulator, "made_up": on_made_up, "real": on_real}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--export", type=Path)
    parser.add_argument("--fields", type=Path, help="take simulated plates from this folder of an earlier export")
    options = parser.parse_args()
    if options.export:
        export(options.export)
        return
    for part in options.parts or PARTS:
        figures: dict[str, Any] = {"wanted": "96 fields: at most 0.020; 24 fields: at most 0.035"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            figures |= on_simulator(options.fields) if part == "simulated" else PARTS[part]()
        if part == "simulated":
            known = PEER.exists() and json.loads(PEER.read_text(encoding="utf-8"))
            figures["BaSiCPy on some of the same fields"] = known or "not run; see studies/_peers_flatfield.py"
        print(record(f"curate_flatfield_{part}", figures))


if __name__ == "__main__":
    main()
