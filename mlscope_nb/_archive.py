"""The zip file that cells are saved in: what is damaged is said to be damaged, whenever it is read."""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any

from zarr.storage import ZipStore

# All that zipfile raises for bytes that are not what was written: checksums, lengths, flags (an unknown one is a
# NotImplementedError of its own, an encrypted piece a RuntimeError). Each is turned into words by whoever reads.
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, NotImplementedError)


class CheckedStore(ZipStore):
    """Arrays in a zip file; a damaged piece is refused in words when it is read."""

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return the bytes of one piece, or None if there is no such piece."""
        try:
            return await super().get(key, prototype, byte_range)
        except DAMAGE as error:
            raise ValueError(
                f"'{key}' in '{self.path}' cannot be read: {error}. The file may be damaged, or was moved: "
                "copy it again and load it anew."
            ) from error


def contents(names: Iterable[str]) -> str:
    """Return a hash of the names in a zip file: pieces of an array that are gone would be read as zeros."""
    return hashlib.sha256("\n".join(sorted(set(names))).encode("utf-8", "surrogateescape")).hexdigest()
