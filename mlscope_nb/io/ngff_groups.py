"""Which images an OME-Zarr store holds: one, a series, those of the wells of plates; and the label images of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlscope_nb.io.limits import inside
from mlscope_nb.io.naming import well_name
from mlscope_nb.io.ngff import attributes, inner_folder


def label_names(folder: Path) -> list[str]:
    """Return the names of the label images of an image.

    Raises
    ------
    ValueError
        The list is damaged or leads elsewhere.
    """
    labels = folder / "labels"
    if not labels.is_dir():
        return []
    names = attributes(labels).get("labels", [])
    if not isinstance(names, list):
        raise ValueError(f"'{labels}' holds no list of labels")
    return ["/".join(inside(str(n))) for n in names]


def images_of(store: Path) -> list[tuple[str, dict[str, Any]]]:
    """List the images of a store and what is known of each: plate, well, field, acquisition, or series.

    Raises
    ------
    ValueError
        The store is damaged, or holds no image.
    """
    about = attributes(store)
    if "plate" in about:
        return _of_plate(store, "", about["plate"])
    if "multiscales" in about:
        return [("", {})]
    found: list[tuple[str, dict[str, Any]]] = []
    for child in sorted((d for d in store.iterdir() if d.is_dir() and not d.name.startswith(".")), key=_in_order):
        inner = attributes(child)
        if "plate" in inner:
            found += _of_plate(store, child.name, inner["plate"])
        elif "multiscales" in inner:
            found.append((child.name, {"series": child.name}))
    if not found:
        raise ValueError(f"'{store}' holds no OME-Zarr image or plate (no multiscales, no plate)")
    return found


def _in_order(folder: Path) -> tuple[int, str]:
    return (int(folder.name), "") if folder.name.isdigit() and len(folder.name) < 9 else (10**9, folder.name)


def _of_plate(store: Path, path: str, plate: Any) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(plate, dict) or not isinstance(plate.get("wells"), list):
        raise ValueError(f"'{store}/{path}' holds a plate without wells")
    name = str(plate.get("name") or _plain_name(store if not path else store / path))
    found: list[tuple[str, dict[str, Any]]] = []
    for well in plate["wells"]:
        own = str(well.get("path", "")) if isinstance(well, dict) else ""
        try:
            found += _of_well(store, path, own, name)
        except ValueError as error:
            found.append((f"{path}/{own}".strip("/"), {"plate": name, "missing": str(error)}))
    return found


def _of_well(store: Path, path: str, own: str, plate: str) -> list[tuple[str, dict[str, Any]]]:
    pieces = inside(own)
    where = "/".join([*([path] if path else []), *pieces])
    if not store.joinpath(where).is_dir():
        raise ValueError("the well is not there")
    label = well_name(pieces[0], pieces[1]) if len(pieces) == 2 and pieces[1].isdigit() else "/".join(pieces)
    about = attributes(inner_folder(store, where)).get("well", {})
    images = about.get("images", []) if isinstance(about, dict) else []
    if not isinstance(images, list) or not images:
        raise ValueError("the well names no images")
    found: list[tuple[str, dict[str, Any]]] = []
    for image in images:
        known = image if isinstance(image, dict) else {}
        inner = "/".join(inside(str(known.get("path", ""))))
        parts = {"plate": plate, "well": label, "field": inner}
        if "acquisition" in known:
            parts["acquisition"] = str(known["acquisition"])
        found.append((f"{where}/{inner}", parts))
    return found


def _plain_name(store: Path) -> str:
    return store.name.removesuffix(".zarr").removesuffix(".ome")
