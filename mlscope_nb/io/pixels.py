"""One image file in, one array (C, Y, X) out, or an error that says what is wrong with the file."""

from __future__ import annotations

import logging
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlscope_nb.io.limits import check_size, first_series
from mlscope_nb.io.stacks import Undecided, named_axes, one_image
from mlscope_nb.io.unpacking import check_segments

if TYPE_CHECKING:
    import tifffile
    from PIL import Image

TIFF = (".tif", ".tiff", ".btf", ".tf8")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
EXTENSIONS = (*TIFF, *PICTURES)
_MEANING = {"C": "channels", "Z": "planes", "T": "frames"}
UNITS = {"µm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0, "nm": 1e-3}
UNITS |= {"nanometer": 1e-3, "nanometre": 1e-3, "mm": 1e3, "millimeter": 1e3, "millimetre": 1e3, "cm": 1e4, "m": 1e6}
# What tifffile and pillow raise for bytes that are not what was written.
DAMAGE = (
    OSError, ValueError, TypeError, LookupError, AttributeError, EOFError, ArithmeticError, RuntimeError, MemoryError,
    AssertionError, SyntaxError, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """An image as read: pixels (C, Y, X), and what the file says of its channels and pixel size."""

    pixels: np.ndarray
    channels: tuple[str, ...] | None = None
    pixel_size_um: float | None = None
    remarks: tuple[str, ...] = field(default=())


def read_image(
    path: str | Path, *, indexed: bool = False, projection: str | None = None, frame: int | None = None
) -> Picture:
    """Read a TIFF, OME-TIFF, PNG or JPEG as (C, Y, X); ``indexed=True`` keeps the numbers of a palette.

    Raises
    ------
    ValueError
        The file is empty, damaged, of an unknown kind, holds NaN, or is a stack or a movie and nobody said which
        `projection` or `frame`; the message says which.
    """
    file = Path(path)
    if not file.stat().st_size:
        raise ValueError("the file is empty (0 bytes)")
    kind = file.suffix.lower()
    if kind not in EXTENSIONS:
        raise ValueError(f"files of kind '{kind}' are not known, expected one of {', '.join(EXTENSIONS)}")
    try:
        picture = _read_tiff(file, projection, frame) if kind in TIFF else Picture(_read_picture(file, indexed))
    except Undecided:
        raise
    except DAMAGE as error:
        raise ValueError(f"cannot be read ({_reason(error)})") from error
    if picture.pixels.dtype.kind not in "uifb":
        raise ValueError(f"holds {picture.pixels.dtype}, expected integers or floats")
    if picture.pixels.dtype.kind == "f" and not np.isfinite(picture.pixels).all():
        raise ValueError("holds NaN or infinite pixels; replace them with numpy.nan_to_num before saving")
    return picture


@dataclass(frozen=True)
class Header:
    """What a file says of its image before any pixel is read."""

    axes: str
    shape: tuple[int, ...]
    dtype: str
    channels: tuple[str, ...] | None = None
    pixel_size_um: float | None = None

    def size_of(self, axis: str) -> int:
        """Return the length of an axis, 1 where there is none."""
        return dict(zip(self.axes, self.shape, strict=True)).get(axis, 1)


def read_header(path: str | Path) -> Header:
    """Read axes, shape, type, channel names and pixel size of an image file.

    Raises
    ------
    ValueError
        The file is empty, damaged or of an unknown kind.
    """
    file = Path(path)
    if not file.stat().st_size:
        raise ValueError("the file is empty (0 bytes)")
    try:
        if file.suffix.lower() in TIFF:
            import tifffile

            with _quiet(), tifffile.TiffFile(file) as tiff:
                series = first_series(tiff, file)
                shape, axes = tuple(map(int, series.shape)), str(series.axes)
                n_channels = dict(zip(axes, shape, strict=True)).get("C", 1)
                return Header(axes, shape, np.dtype(series.dtype).name, *_metadata(tiff, n_channels))
        with _picture(file) as image:
            colours = len(image.getbands()) if image.mode not in ("P", "PA") else 3
            kind = {"I": "int32", "F": "float32"}.get(image.mode, "uint16" if "16" in image.mode else "uint8")
            return Header("CYX", (3 if colours > 2 else 1, image.height, image.width), kind)
    except DAMAGE as error:
        raise ValueError(f"cannot be read ({_reason(error)})") from error


def read_mask(path: str | Path, *, frame: int | None = None) -> np.ndarray:
    """Read a label mask (Y, X); a mask of 0 and one other value is taken as a picture of objects and labelled.

    Raises
    ------
    ValueError
        The file is damaged, in colour, or holds numbers that are not labels.
    """
    pixels = read_image(path, indexed=True, frame=frame).pixels
    if len(pixels) > 1 and not (pixels == pixels[:1]).all():
        raise ValueError(f"has {len(pixels)} channels, expected a mask with one number per pixel")
    mask = pixels[0]
    if mask.dtype.kind == "f" and not (mask == np.round(mask)).all():
        raise ValueError("holds fractions, expected whole numbers: 0 background, 1 … n objects")
    return labelled(mask)


def labelled(mask: np.ndarray) -> np.ndarray:
    """Number the objects of a mask 1 … n; a mask of two values is split into connected pieces."""
    from skimage.measure import label
    from skimage.segmentation import relabel_sequential

    values = np.unique(mask)
    if len(values) and values[0] < 0:
        raise ValueError(f"holds negative labels ({values[0]}), expected 0 background, 1 … n objects")
    objects = values[values > 0]
    if len(objects) == 1 and len(values) == 2:
        return np.asarray(label(mask > 0, connectivity=1), np.int32)
    return np.asarray(relabel_sequential(mask.astype(np.int64))[0], np.int32)


def _read_tiff(file: Path, projection: str | None, frame: object) -> Picture:
    import tifffile

    with _quiet(), tifffile.TiffFile(file) as tiff:
        series = first_series(tiff, file)
        axes = named_axes(series.axes, series.shape, projection, frame)
        try:
            array = _frame_of(tiff, series, axes, frame)
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            array = _decode_elsewhere(file, series, str(error))
        pixels = one_image(array, axes, projection, frame if array.shape == series.shape else 0)
        remarks: tuple[str, ...] = ()
        if axes != series.axes:
            n, meaning = next((n, a) for n, a, b in zip(series.shape, axes, series.axes, strict=True) if a != b)
            remarks = (f"{n} pages taken as {_MEANING[meaning]}",)
        if len(tiff.series) > 1:
            remarks += (f"the first of {len(tiff.series)} image series used",)
        if series.keyframe.photometric == 0 and pixels.dtype.kind == "u":
            pixels = np.iinfo(pixels.dtype).max - pixels
            remarks += ("stored with white as 0, turned round",)
        return Picture(pixels, *_metadata(tiff, len(pixels)), remarks=remarks)


def _frame_of(tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries, axes: str, frame: object) -> np.ndarray:
    """Read a series; of a movie whose pages are apart, only the frame that is wanted."""
    per_page = series.keyframe.size
    lead = series.shape[: series.ndim - series.keyframe.ndim]
    apart = "T" in axes[: len(lead)] and len(series.pages) * per_page == series.size and len(series.pages) > 1
    if not isinstance(frame, int | np.integer) or not apart:
        check_segments(tiff, series.pages)
        return np.asarray(series.asarray())
    at = axes.index("T")
    pages = np.arange(len(series.pages)).reshape(lead).take(np.array([int(frame)]), at)
    check_segments(tiff, [series.pages[int(i)] for i in pages.ravel()])
    found = np.asarray(tiff.asarray(key=pages.ravel().tolist(), series=0))
    return found.reshape([1 if i == at else n for i, n in enumerate(series.shape)])


def _decode_elsewhere(file: Path, series: tifffile.TiffPageSeries, why: str) -> np.ndarray:
    """Let pillow read compressions that tifffile leaves to an extra package (LZW, JPEG)."""
    from PIL import ImageSequence

    with _picture(file) as image:
        frames = [np.array(frame) for frame in ImageSequence.Iterator(image)]
    array = frames[0] if len(frames) == 1 else np.stack(frames)
    if array.size != np.prod(series.shape) or array.dtype != series.dtype:
        raise ValueError(f"{why}: python -m pip install imagecodecs")
    return array.reshape(series.shape)


def _metadata(tiff: tifffile.TiffFile, n_channels: int) -> tuple[tuple[str, ...] | None, float | None]:
    if not tiff.ome_metadata:
        return _imagej_metadata(tiff, n_channels) if tiff.is_imagej else (None, None)
    import tifffile

    pixels = _first(tifffile.xml2dict(tiff.ome_metadata).get("OME", {}).get("Image", {})).get("Pixels", {})
    size = _micrometres(pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeXUnit", "µm"))
    channels = pixels.get("Channel", [])
    named = [c.get("Name") for c in (channels if isinstance(channels, list) else [channels])]
    return _distinct(named, n_channels), size


def _imagej_metadata(tiff: tifffile.TiffFile, n_channels: int) -> tuple[tuple[str, ...] | None, float | None]:
    """Read what ImageJ writes: its unit beside TIFF's pixels per unit, and labels where each slice is one channel."""
    about = tiff.imagej_metadata or {}
    resolution = tiff.pages.first.tags.valueof("XResolution")
    per_pixel = resolution[1] / resolution[0] if resolution and resolution[0] and resolution[1] else None
    labels = about.get("Labels")
    named = list(labels) if isinstance(labels, list | tuple) else []
    return _distinct(named, n_channels), _micrometres(per_pixel, str(about.get("unit", "")))


def _distinct(named: list[Any], n_channels: int) -> tuple[str, ...] | None:
    fits = len(named) == n_channels and all(named) and len(set(named)) == n_channels
    return tuple(map(str, named)) if fits else None


def _micrometres(size: Any, unit: str) -> float | None:
    """Return a length in micrometres, or None where the unit is none of length or the number is none."""
    factor = UNITS.get(unit.replace("\\u00B5", "µ").replace("μ", "µ").strip())
    try:
        length = float(size) * factor if factor else 0.0
    except (TypeError, ValueError):
        return None
    return length if 0 < length < 1e6 else None


def _first(value: Any) -> dict[str, Any]:
    found = value[0] if isinstance(value, list) and value else value
    return found if isinstance(found, dict) else {}


def _read_picture(file: Path, indexed: bool) -> np.ndarray:
    with open(file, "rb") as stream:
        head = stream.read(26)
    if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) == 26 and head[24] == 16 and head[25] != 0:
        raise ValueError(
            "is a 16-bit PNG in colour or with transparency, of which only 8 bits can be read; save it as TIFF"
        )
    with _picture(file) as image:
        if indexed and image.mode in ("P", "PA"):
            return np.array(image.getchannel(0) if image.mode == "PA" else image)[None]
        frames = getattr(image, "n_frames", 1)
        if frames > 1:
            raise ValueError(f"holds {frames} frames, expected one image")
        array = np.array(image.convert("RGB") if image.mode in ("P", "CMYK", "YCbCr", "PA") else image)
    if array.ndim == 2:
        return array[None].astype(np.uint8) if array.dtype == bool else array[None]
    return np.ascontiguousarray(np.moveaxis(array[..., : (3 if array.shape[-1] > 2 else 1)], -1, 0))


@contextmanager
def _picture(file: Path) -> Iterator[Image.Image]:
    """Open a picture with pillow, whose own kinds of errors become ValueErrors."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            check_size(image.width * image.height * len(image.getbands()), os.path.getsize(file))
            yield image
    except (Image.DecompressionBombError, SyntaxError) as error:
        raise ValueError(str(error)) from error


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return "damaged or cut short: " + text if isinstance(error, struct.error | zlib.error | EOFError) else text


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep tifffile's own log off the screen: what matters becomes an error with the file's name."""
    logger = logging.getLogger("tifffile")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
