"""One image file in, one array (C, Y, X) out, or an error that says what is wrong with the file."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import tifffile

TIFF = (".tif", ".tiff", ".btf", ".tf8")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
EXTENSIONS = (*TIFF, *PICTURES)
MAX_CHANNELS = 8
MAX_BYTES = 4 * 2**30
DAMAGE = (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, struct.error, zlib.error)


@dataclass(frozen=True)
class Picture:
    """An image as read: pixels (C, Y, X), and what the file says of its channels and pixel size."""

    pixels: np.ndarray
    channels: tuple[str, ...] | None = None
    pixel_size_um: float | None = None
    remarks: tuple[str, ...] = field(default=())


def read_image(path: str | Path, *, indexed: bool = False) -> Picture:
    """Read a TIFF, OME-TIFF, PNG or JPEG as (C, Y, X); ``indexed=True`` keeps the numbers of a palette.

    Raises
    ------
    ValueError
        The file is empty, damaged, of an unknown kind, a stack or a movie, or holds NaN; the message says which.
    """
    file = Path(path)
    if not file.stat().st_size:
        raise ValueError("the file is empty (0 bytes)")
    kind = file.suffix.lower()
    if kind not in EXTENSIONS:
        raise ValueError(f"files of kind '{kind}' are not known, expected one of {', '.join(EXTENSIONS)}")
    try:
        picture = _read_tiff(file) if kind in TIFF else Picture(_read_picture(file, indexed))
    except DAMAGE as error:
        raise ValueError(f"cannot be read ({_reason(error)})") from error
    if picture.pixels.dtype.kind not in "uifb":
        raise ValueError(f"holds {picture.pixels.dtype}, expected integers or floats")
    if picture.pixels.dtype.kind == "f" and not np.isfinite(picture.pixels).all():
        raise ValueError("holds NaN or infinite pixels; replace them with numpy.nan_to_num before saving")
    return picture


def read_mask(path: str | Path) -> np.ndarray:
    """Read a label mask (Y, X); a mask of 0 and one other value is taken as a picture of objects and labelled.

    Raises
    ------
    ValueError
        The file is damaged, in colour, or holds numbers that are not labels.
    """
    pixels = read_image(path, indexed=True).pixels
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


def _read_tiff(file: Path) -> Picture:
    import tifffile

    with _quiet(), tifffile.TiffFile(file) as tiff:
        if not tiff.series:
            raise ValueError("no image in the file")
        series = tiff.series[0]
        if series.nbytes > MAX_BYTES:
            raise ValueError(f"says it holds {series.nbytes / 2**30:.0f} GB; cut it into tiles first")
        try:
            array = series.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            array = _decode_elsewhere(file, series, str(error))
        pixels, remarks = _channels_first(array, series.axes)
        if len(tiff.series) > 1:
            remarks += (f"the first of {len(tiff.series)} image series used",)
        if series.keyframe.photometric == 0 and pixels.dtype.kind == "u":
            pixels = np.iinfo(pixels.dtype).max - pixels
            remarks += ("stored with white as 0, turned round",)
        return Picture(pixels, *_metadata(tiff, len(pixels)), remarks=remarks)


def _decode_elsewhere(file: Path, series: tifffile.TiffPageSeries, why: str) -> np.ndarray:
    """Let pillow read compressions that tifffile leaves to an extra package (LZW, JPEG)."""
    from PIL import Image, ImageSequence

    with Image.open(file) as image:
        frames = [np.array(frame) for frame in ImageSequence.Iterator(image)]
    array = frames[0] if len(frames) == 1 else np.stack(frames)
    if array.size != np.prod(series.shape) or array.dtype != series.dtype:
        raise ValueError(f"{why}: pip install imagecodecs")
    return array.reshape(series.shape)


def _channels_first(array: np.ndarray, axes: str) -> tuple[np.ndarray, tuple[str, ...]]:
    keep = [i for i, (axis, n) in enumerate(zip(axes, array.shape, strict=True)) if n > 1 or axis in "YX"]
    axes, array = "".join(axes[i] for i in keep), array.reshape([array.shape[i] for i in keep])
    if sorted(axes[-2:]) != ["X", "Y"] and axes[-1] in "SC":
        axes, array = axes[-1] + axes[:-1], np.moveaxis(array, -1, 0)
    if axes == "YX":
        return array[None], ()
    extra = axes.replace("Y", "").replace("X", "")
    if len(extra) > 1 or not axes.endswith("YX"):
        raise ValueError(f"has axes {axes} {array.shape}, expected one image (Y, X) or channels of one (C, Y, X)")
    if extra in "ZT":
        what = "a stack of {} planes" if extra == "Z" else "a movie of {} frames"
        raise ValueError(f"is {what.format(len(array))}; save one plane, frame or projection of it as an image")
    if extra not in "CS" and len(array) > MAX_CHANNELS:
        raise ValueError(f"holds {len(array)} pages and does not say whether they are channels, planes or frames")
    remark = () if extra in "CS" else (f"{len(array)} pages taken as channels",)
    if extra == "S" and len(array) == 4:
        array = array[:3]
    return array, remark


def _metadata(tiff: tifffile.TiffFile, n_channels: int) -> tuple[tuple[str, ...] | None, float | None]:
    import tifffile

    if not tiff.ome_metadata:
        return None, None
    pixels = _first(tifffile.xml2dict(tiff.ome_metadata).get("OME", {}).get("Image", {})).get("Pixels", {})
    size = pixels.get("PhysicalSizeX") if pixels.get("PhysicalSizeXUnit", "µm") in ("µm", "um") else None
    channels = pixels.get("Channel", [])
    named = [c.get("Name") for c in (channels if isinstance(channels, list) else [channels])]
    names = (
        tuple(map(str, named)) if len(named) == n_channels and all(named) and len(set(named)) == n_channels else None
    )
    return names, float(size) if size and float(size) > 0 else None


def _first(value: Any) -> dict[str, Any]:
    found = value[0] if isinstance(value, list) and value else value
    return found if isinstance(found, dict) else {}


def _read_picture(file: Path, indexed: bool) -> np.ndarray:
    from PIL import Image

    with open(file, "rb") as stream:
        head = stream.read(26)
    if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) == 26 and head[24] == 16 and head[25] != 0:
        raise ValueError(
            "is a 16-bit PNG in colour or with transparency, of which only 8 bits can be read; save it as TIFF"
        )
    with Image.open(file) as image:
        if indexed and image.mode in ("P", "PA"):
            return np.array(image.getchannel(0) if image.mode == "PA" else image)[None]
        frames = getattr(image, "n_frames", 1)
        if frames > 1:
            raise ValueError(f"holds {frames} frames, expected one image")
        array = np.array(image.convert("RGB") if image.mode in ("P", "CMYK", "YCbCr", "PA") else image)
    if array.ndim == 2:
        return array[None].astype(np.uint8) if array.dtype == bool else array[None]
    return np.ascontiguousarray(np.moveaxis(array[..., : (3 if array.shape[-1] > 2 else 1)], -1, 0))


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
