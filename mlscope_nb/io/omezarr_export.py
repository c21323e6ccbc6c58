"""OME-Zarr out: fields as plates or images, with labels, channel names and pixel size, one field after another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from mlscope_nb._files import new_target, replacing_folder
from mlscope_nb._lazy import read_rows
from mlscope_nb._pictures import channel_colours, contrast_limits
from mlscope_nb.cells import Cells
from mlscope_nb.fields import Fields
from mlscope_nb.io import omezarr_metadata as ngff
from mlscope_nb.io.omezarr_layout import Choice, Layout, arrange
from mlscope_nb.io.omezarr_metadata import VERSIONS, ZARR_FORMATS, Version
from mlscope_nb.io.omezarr_notes import MASKS, notes_of, write_notes
from mlscope_nb.io.omezarr_series import FILE, ome_xml
from mlscope_nb.io.omezarr_tables import write_table
from mlscope_nb.io.pyramids import halved, levels, thinned

if TYPE_CHECKING:
    import zarr

TILE = 1024
CROP_BYTES = 4_000_000
SAMPLED_FIELDS = 24
"""Fields that are read twice, once to see how bright they are."""


def write_omezarr(
    cells_or_fields: Cells | Fields,
    path: str | Path,
    *,
    version: Version = "0.5",
    layout: Choice = "auto",
    plate: str | None = None,
    well: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write images and masks as OME-Zarr, for napari, Fiji, OMERO, vizarr and every other tool that reads it.

    Fields are read and written one at a time. The table `obs`, the design and the history go along as notes that other
    tools pass over, so that `read_omezarr` gives back what was written: types, ids, channel names, pixel size.

    Parameters
    ----------
    cells_or_fields : Fields or Cells
        Fields become a plate where `obs` has wells, else images named by their ids; masks become the label image
        "masks", compartments label images of their own. Crops of cells become one image with one cell for each step of
        the axis t, because OME-Zarr has no axis for objects; their features and maps go with `obs` to ``tables/cells``,
        as an AnnData that `anndata.read_zarr` opens, because OME-Zarr has no tables either.
    path : path
        The folder to write, by custom with the ending ``.zarr``.
    version : {"0.5", "0.4"}
        Of OME-Zarr: 0.5 lies on Zarr 3; older tools read only 0.4.
    layout : {"auto", "plate", "images"}
        "auto" makes a plate where every well has a row and a column (A01); several plates lie beside each other.
    plate, well : str, optional
        Columns of `obs`; by default "plate" and "well", or CellProfiler's "Metadata_Plate" and "Metadata_Well".
    overwrite : bool
        Replace an older OME-Zarr of this name. Other folders and files are never replaced.

    Returns
    -------
    Path
        The folder. It appears when all is written, and is not there when something failed.

    Raises
    ------
    FileExistsError
        Something of this name is there, and may not or should not be replaced.
    ValueError
        There are no images or no rows, a version or layout is unknown, or a column of obs cannot be stored.
    OSError
        The folder cannot be written or the disk is full; an older store is left as it was.

    Examples
    --------
    >>> import tempfile
    >>> from mlscope_nb import datasets
    >>> fields = datasets.load_fields("fly").subset(datasets.load_fields("fly").ids[:2])
    >>> path = write_omezarr(fields, Path(tempfile.mkdtemp()) / "fly.zarr")
    >>> sorted(p.name for p in path.iterdir())
    ['0', '1', 'OME', 'mlscope', 'zarr.json']

    Sources: OME-NGFF 0.4 and 0.5 (https://ngff.openmicroscopy.org); checked with ome-zarr-models and napari-ome-zarr.
    """
    import zarr

    if version not in VERSIONS:
        raise ValueError(f"version is {version!r}, expected '0.5' or '0.4'.")
    if cells_or_fields.images is None:
        raise ValueError("These cells have no images, only tables. Write them with write_profiles or write_h5ad.")
    if not len(cells_or_fields):
        raise ValueError("There is nothing to write: no field and no cell is left.")
    target = new_target(path, overwrite=overwrite)
    _refuse_other(target)
    images = len(cells_or_fields) if isinstance(cells_or_fields, Fields) else 1
    places = (
        arrange(cells_or_fields.obs, layout, plate=plate, well=well)
        if isinstance(cells_or_fields, Fields)
        else Layout(("",))
    )
    with replacing_folder(target) as part:
        root = zarr.open_group(part, mode="w-", zarr_format=ZARR_FORMATS[version])
        write_notes(root, notes_of(cells_or_fields, places.paths))
        writer = ImageWriter.of(root, cells_or_fields, version)
        if isinstance(cells_or_fields, Cells):
            _write_crops(writer, cells_or_fields, target.stem)
            write_table(root, cells_or_fields)
        else:
            describe_layout(root, places, version, target.stem)
            if not places.plates and places.paths != ("",):
                _describe_series(root, part, cells_or_fields, version)
            shown = tqdm(range(images), "Writing fields", unit="field", delay=2, leave=False)
            for row in shown:
                writer.write_field(cells_or_fields, row, places.paths[row])
    return target


def describe_layout(root: zarr.Group, layout: Layout, version: Version, name: str) -> None:
    """Write the groups of plates, rows and wells with their descriptions."""
    for path, held in layout.plates.items():
        group = root if path == "" else root.create_group(path)
        most = max(held.wells.values())
        described = ngff.plate(held.name or name, list(held.wells), most)
        group.attrs.update(ngff.attributes(version, {"plate": described}))
        for row in dict.fromkeys(row for row, _ in held.wells):
            group.create_group(row)
        for (row, column), n in held.wells.items():
            images = ngff.well([str(i) for i in range(n)])
            group.create_group(f"{row}/{column}").attrs.update(ngff.attributes(version, {"well": images}))


def _describe_series(root: zarr.Group, folder: Path, fields: Fields, version: Version) -> None:
    root.attrs.update(ngff.attributes(version, {"bioformats2raw.layout": 3}))
    listed = root.create_group("OME")
    listed.attrs.update(ngff.attributes(version, {"series": [str(i) for i in range(len(fields))]}))
    dtype = fields.images[0].dtype
    text = ome_xml(list(fields.ids), fields.images.shapes, dtype, fields.channels, fields.pixel_size_um)
    (folder / "OME" / FILE).write_bytes(text)


class ImageWriter:
    """Writes images with their smaller copies and labels into the groups of one store.

    Parameters
    ----------
    root : zarr.Group
    version : {"0.5", "0.4"}
    channels : sequence of str
    pixel_size_um : float or None
    limits : array (C, 2)
        Grey values shown as black and as full colour, the same for all images so that they can be compared.
    """

    def __init__(
        self,
        root: zarr.Group,
        version: Version,
        channels: tuple[str, ...],
        pixel_size_um: float | None,
        limits: np.ndarray,
    ) -> None:
        self.root, self.version = root, version
        self.channels, self.pixel_size_um, self.limits = channels, pixel_size_um, limits

    @classmethod
    def of(cls, root: zarr.Group, source: Cells | Fields, version: Version) -> ImageWriter:
        """Make the writer for these cells or fields, with limits from a sample of them."""
        rows = np.unique(np.linspace(0, len(source) - 1, SAMPLED_FIELDS).astype(int))
        sample = source.subset(source.ids[rows]) if isinstance(source, Fields) else source
        return cls(root, version, source.channels, source.pixel_size_um, contrast_limits(sample))

    def write_field(self, fields: Fields, row: int, path: str) -> None:
        """Write one field with its masks and compartments."""
        group = self.root if path == "" else self.root.create_group(path)
        self.write_image(group, fields.images[row], str(fields.ids[row]))
        masks = {} if fields.masks is None else {MASKS: fields.masks[row]}
        self.write_labels(group, {**masks, **{name: part[row] for name, part in fields.compartments.items()}})

    def write_image(self, group: zarr.Group, image: np.ndarray, name: str) -> None:
        """Write one image (C, Y, X) and its smaller copies."""
        n = self._write_levels(group, image, "cyx", mean=True)
        self.describe_image(group, name, "cyx", n, image.dtype)

    def write_labels(self, group: zarr.Group, labels: Mapping[str, np.ndarray]) -> None:
        """Write label images (Y, X) by name beside an image."""
        parts = self.labels_group(group, list(labels))
        for name, label in labels.items():
            part = parts.create_group(name)
            self.describe_label(part, name, "yx", self._write_levels(part, label, "yx", mean=False))

    def describe_image(self, group: zarr.Group, name: str, axes: str, n_levels: int, dtype: np.dtype) -> None:
        """Write what is said of an image: axes, scales, channels."""
        scales = ngff.multiscales(name, axes, n_levels, self.pixel_size_um, mean=True)
        shown = ngff.omero(self.channels, channel_colours(self.channels), self.limits, dtype)
        self._describe(group, {"multiscales": scales, "omero": shown})

    def describe_label(self, group: zarr.Group, name: str, axes: str, n_levels: int) -> None:
        """Write what is said of a label image."""
        scales = ngff.multiscales(name, axes, n_levels, self.pixel_size_um, mean=False)
        self._describe(group, {"multiscales": scales, "image-label": ngff.image_label()})

    def labels_group(self, group: zarr.Group, names: list[str]) -> zarr.Group:
        """Make the group of label images; without names none is written and the image's own group comes back."""
        if not names:
            return group
        parts = group.create_group("labels")
        self._describe(parts, {"labels": names})
        return parts

    def new_array(self, group: zarr.Group, path: str, shape: tuple[int, ...], dtype: Any, axes: str, first: int) -> Any:
        """Make an array in chunks of `first` rows along its first axis and of tiles in the plane."""
        small = [min(size, TILE) for size in shape[-2:]]
        chunks = (*([min(shape[0], first)] if len(shape) > 2 else []), *shape[1:-2], *small)
        names = list(axes) if self.version != "0.4" else None
        return group.create_array(
            path,
            shape=shape,
            chunks=tuple(max(1, c) for c in chunks),
            dtype=dtype,
            dimension_names=names,
            chunk_key_encoding={"name": "v2" if self.version == "0.4" else "default", "separator": "/"},
        )

    def _write_levels(self, group: zarr.Group, image: np.ndarray, axes: str, *, mean: bool) -> int:
        n = 0
        for n, level in enumerate(levels(np.asarray(image), halved if mean else thinned), 1):
            self.new_array(group, str(n - 1), level.shape, level.dtype, axes, 1)[...] = level
        return n

    def _describe(self, group: zarr.Group, parts: dict[str, Any]) -> None:
        group.attrs.update(ngff.attributes(self.version, parts))


def _write_crops(writer: ImageWriter, cells: Cells, name: str) -> None:
    _copy_rows(writer, writer.root, cells.images, "tcyx")
    writer.describe_image(writer.root, name, "tcyx", 1, np.dtype(cells.images.dtype))
    masks = {} if cells.masks is None else {MASKS: cells.masks}
    labels = {**masks, **cells.compartments}
    parts = writer.labels_group(writer.root, list(labels))
    for label, array in labels.items():
        group = parts.create_group(label)
        _copy_rows(writer, group, array, "tyx")
        writer.describe_label(group, label, "tyx", 1)


def _copy_rows(writer: ImageWriter, group: zarr.Group, array: Any, axes: str) -> None:
    rows = max(1, CROP_BYTES // max(1, int(np.prod(array.shape[1:])) * np.dtype(array.dtype).itemsize))
    out = writer.new_array(group, "0", tuple(array.shape), np.dtype(array.dtype), axes, rows)
    for start in range(0, array.shape[0], rows):
        piece = slice(start, start + rows)
        out[piece] = read_rows(array, piece)


def _refuse_other(target: Path) -> None:
    """Refuse to replace what is no Zarr store: a folder of that name may hold a study."""
    known = ("zarr.json", ".zgroup")
    if target.exists() and not any((target / name).is_file() for name in known):
        raise FileExistsError(
            f"'{target}' is there and is no Zarr store, so it is not replaced. Choose another name, or remove it first."
        )
