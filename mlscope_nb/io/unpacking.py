"""How large a packed piece becomes, found out by unpacking it no further than it may go."""

from __future__ import annotations

import lzma
import zlib
from bz2 import BZ2Decompressor
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tifffile

_MAKERS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "zlib": lambda: zlib.decompressobj(15),
    "bz2": BZ2Decompressor,
    "lzma": lzma.LZMADecompressor,
}
# Compressions of TIFF that Python itself unpacks, without a limit. 1 MB of them is 1 GB at most for deflate.
_TIFF_CODECS = {8: "zlib", 32946: "zlib", 34925: "lzma"}
_LARGE = {"zlib": 2**20, "lzma": 2**17}


def unpacked_size(piece: bytes, codecs: Iterable[str], limit: int) -> int | None:
    """Return how many bytes a piece becomes, `limit` + 1 where it is more; None where it is packed in other ways.

    Examples
    --------
    >>> unpacked_size(zlib.compress(bytes(5000)), {"zlib"}, 100)
    101
    """
    maker = next((_MAKERS[name] for name in _MAKERS if name in set(codecs)), None)
    if maker is None:
        return None
    try:
        return len(maker().decompress(piece, limit + 1))
    except (zlib.error, OSError, EOFError, lzma.LZMAError):
        return None


def check_segments(tiff: tifffile.TiffFile, pages: Iterable[Any]) -> None:
    """Refuse pages whose strips or tiles become more than they say.

    Raises
    ------
    ValueError
        What was found.
    """
    for page in pages:
        codec = _TIFF_CODECS.get(int(page.keyframe.compression))
        if codec is None:
            continue
        limit = 2 * int(page.keyframe.nbytes) + 2**16
        handle = page.parent.filehandle
        for offset, size in zip(page.dataoffsets, page.databytecounts, strict=False):
            if size > _LARGE[codec]:
                handle.seek(offset)
                found = unpacked_size(handle.read(min(size, tiff.filehandle.size)), {codec}, limit)
                if found is not None and found > limit:
                    raise ValueError(f"a piece of it becomes more than the {page.keyframe.nbytes:,} bytes of its page")
