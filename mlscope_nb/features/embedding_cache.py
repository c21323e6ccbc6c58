"""A cache of embeddings: what was computed once for these pixels is read again, within a limit of disk space."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlscope_nb._files import replacing

LIMIT_MB = 1000
FOLDER = "MLSCOPE_CACHE"


def folder() -> Path:
    """Return where embeddings are kept: MLSCOPE_CACHE where it is set, otherwise the user's cache folder."""
    if os.environ.get(FOLDER):
        return Path(os.environ[FOLDER]).expanduser() / "embeddings"
    import pooch

    return Path(pooch.os_cache("mlscope")) / "embeddings"


def content_key(parts: Iterator[NDArray[np.generic]], *names: object) -> str:
    """Return a hash of pixels, their type and shape, and everything else that the result depends on."""
    digest = hashlib.sha256(repr(names).encode())
    for part in parts:
        digest.update(repr((part.shape, str(part.dtype))).encode())
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()[:32]


def cached(key: str, compute: Callable[[], NDArray[np.float32]], *, limit_mb: float = LIMIT_MB) -> NDArray[np.float32]:
    """Return what is stored under the key, or compute and store it; the oldest entries make room.

    A damaged entry is computed again, and a disk that refuses costs only the time that the cache would have saved.
    """
    place = folder()
    file = place / f"{key}.npy"
    found = _read(file)
    if found is not None:
        return found
    result = compute()
    if result.nbytes <= limit_mb * 1e6:
        try:
            place.mkdir(parents=True, exist_ok=True)
            with replacing(file) as part, open(part, "wb") as out:
                np.save(out, result, allow_pickle=False)
            _make_room(place, limit_mb, keep=file)
        except OSError:
            return result
    return result


def _read(file: Path) -> NDArray[np.float32] | None:
    try:
        found: NDArray[np.float32] = np.load(file, allow_pickle=False)
        os.utime(file)
    except (OSError, ValueError, EOFError):
        return None
    return found


def _make_room(place: Path, limit_mb: float, keep: Path) -> None:
    files = sorted((f for f in place.glob("*.npy") if f != keep), key=lambda f: f.stat().st_mtime)
    total = sum(f.stat().st_size for f in files) + keep.stat().st_size
    for file in files:
        if total <= limit_mb * 1e6:
            return
        total -= file.stat().st_size
        file.unlink(missing_ok=True)
