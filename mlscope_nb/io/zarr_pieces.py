"""The pieces of a zarr array, looked at before they are unpacked: none may become more than its array says."""

from __future__ import annotations

import struct
from typing import Any

from zarr.storage import LocalStore

from mlscope_nb.io.unpacking import unpacked_size

MAX_JSON = 20_000_000
# Smaller pieces become at most some 300 MB, whatever is in them.
SMALL = 256 * 2**10
BLOSC_VERSIONS = (1, 2)
ZSTD = b"\x28\xb5\x2f\xfd"


class CheckedPieces(LocalStore):
    """A folder of pieces for reading.

    Attributes
    ----------
    raw_bytes : int or None
        How large one unpacked piece is; None as long as nothing but descriptions is read.
    codecs : set of str
        What pieces are packed with.
    """

    raw_bytes: int | None = None
    codecs: frozenset[str] = frozenset()

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
        """Return the bytes of one piece, or None if there is no such piece.

        Raises
        ------
        ValueError
            It would become more than its array says, or it is a description of unreasonable length.
        """
        found = await super().get(key, prototype, byte_range)
        if found is None:
            return None
        if key.rsplit("/", 1)[-1] in ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"):
            if len(found) > MAX_JSON:
                raise ValueError(f"'{key}' has {len(found):,} bytes, more than a description needs")
        elif self.raw_bytes is not None:
            self._check(key, found)
        return found

    def _check(self, key: str, piece: Any) -> None:
        limit = 2 * (self.raw_bytes or 0) + 2**16
        if len(piece) > limit:
            raise ValueError(f"'{key}' has {len(piece):,} bytes, its array says {self.raw_bytes:,} at most")
        size = declared_size(bytes(piece.as_array_like()[:24]), self.codecs)
        if size is None and len(piece) > SMALL:
            size = unpacked_size(piece.to_bytes(), self.codecs, limit)
        if size is not None and size > limit:
            raise ValueError(f"'{key}' becomes more than the {self.raw_bytes:,} bytes that its array says")


def declared_size(start: bytes, codecs: frozenset[str]) -> int | None:
    """Return what the first bytes of a packed piece say of its size, or None where they do not say.

    Sources: the headers of Blosc 1 and of frames of Zstandard (RFC 8878).
    """
    if "blosc" in codecs and len(start) >= 16 and start[0] in BLOSC_VERSIONS:
        return int(struct.unpack("<I", start[4:8])[0])
    if "zstd" not in codecs or start[:4] != ZSTD or len(start) < 18:
        return None
    flags = start[4]
    single, kind = bool(flags & 0x20), flags >> 6
    at = 5 + (0 if single else 1) + (0, 1, 2, 4)[flags & 3]
    width = (1 if single else 0, 2, 4, 8)[kind]
    return int.from_bytes(start[at : at + width], "little") + (256 if width == 2 else 0) if width else None
