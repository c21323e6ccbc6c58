"""What mlscope itself wrote as OME-Zarr comes back as it was: ids, tables, design, masks, compartments and maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlscope_nb._design import check
from mlscope_nb._store import as_declared
from mlscope_nb.cells import Cells
from mlscope_nb.fields import Fields, Stack
from mlscope_nb.io.ngff import attributes, image_level, open_array
from mlscope_nb.io.omezarr_layout import NOTES
from mlscope_nb.io.omezarr_notes import MASKS, Notes, read_notes
from mlscope_nb.io.omezarr_tables import read_features, read_maps
from mlscope_nb.io.zarr_images import ZarrImage

DAMAGE = (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError, RecursionError)


def as_written(
    store: Path,
    *,
    level: int = 0,
    labels: bool = True,
    channels: Sequence[str] | None = None,
    pixel_size_um: float | None = None,
    design: Mapping[str, Any],
) -> Fields | Cells | None:
    """Return what `write_omezarr` wrote, or None where it was another tool.

    Parameters
    ----------
    store : Path
    level : int
        As in `read_omezarr`.
    labels : bool
        Whether masks and compartments come along.
    channels, pixel_size_um, design
        Take the place of what was written, where given.

    Raises
    ------
    ValueError
        The notes or the images are damaged; the message names the store.
    """
    if NOTES not in attributes(store):
        return None
    import zarr

    try:
        open_array(store, f"{NOTES}/obs")
        notes = read_notes(zarr.open_group(str(store), mode="r", use_consolidated=False))
        if notes is None:
            return None
        roles = {**notes.design, **design}
        control = roles.pop("control", None)
        named = list(channels) if channels is not None else list(notes.channels)
        size = pixel_size_um if pixel_size_um is not None else _size(notes, level)
        history = [*notes.history, {"step": "read_omezarr", "n": len(notes.obs), "images": str(store)}]
        shared: dict[str, Any] = {"channels": named, "pixel_size_um": size, "history": history, **roles}
        if notes.kind == "cells":
            return as_declared(_cells(store, notes, level, labels, shared), control)
        fields = Fields(notes.obs, **_fields(store, notes, level, labels), **shared)
        # Not declared anew: a part of a study need not hold any of its controls.
        declared = replace(fields.design, control=control)
        check(fields.obs, declared)
        return fields._copy(design=declared)
    except DAMAGE as error:
        raise ValueError(f"'{store}' cannot be read as mlscope wrote it: {error}") from error


def _size(notes: Notes, level: int) -> float | None:
    return None if notes.pixel_size_um is None else notes.pixel_size_um * 2**level


def _fields(store: Path, notes: Notes, level: int, labels: bool) -> dict[str, Any]:
    images = [_image(store, path, level) for path in notes.paths]
    masks = [_label(store, path, MASKS, level) for path in notes.paths] if notes.masks and labels else None
    return {
        "images": _stack(images),
        "masks": None if masks is None else _stack(masks),
        "compartments": {
            name: _stack([_label(store, path, name, level) for path in notes.paths])
            for name in (notes.compartments if labels else ())
        },
    }


def _cells(store: Path, notes: Notes, level: int, labels: bool, shared: dict[str, Any]) -> Cells:
    def array(path: str) -> Any:
        return open_array(store, image_level(store, path, level).path)

    path = notes.paths[0]
    start = f"{path}/labels" if path else "labels"
    return Cells(
        notes.obs,
        array(path),
        masks=array(f"{start}/{MASKS}") if notes.masks and labels else None,
        compartments={name: array(f"{start}/{name}") for name in (notes.compartments if labels else ())},
        features=read_features(store, notes.obs.index, notes.features),
        embeddings=read_maps(store, notes.obs.index, notes.embeddings),
        **shared,
    )


def _stack(items: Sequence[ZarrImage]) -> Stack:
    return Stack(list(items), [item.shape for item in items])


def _image(store: Path, path: str, level: int) -> ZarrImage:
    return ZarrImage(image_level(store, path, level))


def _label(store: Path, path: str, name: str, level: int) -> ZarrImage:
    return ZarrImage(image_level(store, f"{path}/labels/{name}" if path else f"labels/{name}", level), labels=True)
