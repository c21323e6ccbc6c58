"""Which mask is whose: masks beside their images, found by name, and by folder where names repeat."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mlscope_nb.io.listing import LABEL_EXTENSIONS, Paths, list_files, plain_stem

MASK_ENDINGS = r"[_\-. ]?(cp_masks?|masks?|labels?|seg|objects?)$"


def without_masks(images: Sequence[Path], masks: Paths) -> tuple[list[Path], list[Path]]:
    """Tell images and masks apart where both lie in one folder: ``a_mask.tif`` beside ``a.tif`` is its mask.

    Returns
    -------
    The images without the masks, and the masks without the images.
    """
    candidates = list_files(masks, LABEL_EXTENSIONS)
    stems = {(p.resolve().parent, plain_stem(p)) for p in images}
    both = {p.resolve() for p in candidates} & {p.resolve() for p in images}
    own = {p for p in both if _mask_stem(p) != plain_stem(p) and (p.parent, _mask_stem(p)) in stems}
    return (
        [p for p in images if p.resolve() not in own],
        [p for p in candidates if p.resolve() not in both or p.resolve() in own],
    )


def match_masks(images: Mapping[str, Path], masks: Sequence[Path]) -> dict[str, Path]:
    """Find the mask of each image: the same name, with or without an ending such as ``_mask``.

    Where several images or masks have one name, the folders decide (``p1/a.tif`` and ``masks/p1/a_mask.tif``); an image
    for which they cannot decide gets none.
    """
    by_stem: dict[str, list[Path]] = {}
    for path in masks:
        for stem in {plain_stem(path), _mask_stem(path)}:
            by_stem.setdefault(stem, []).append(path)
    stems = Counter(plain_stem(path) for path in images.values())
    found = {}
    for name, path in images.items():
        stem = plain_stem(path)
        chosen = _nearest(path, by_stem.get(stem) or by_stem.get(name) or [], alone=stems[stem] == 1)
        if chosen is not None:
            found[name] = chosen
    taken = pd.Series(list(found.values()), index=list(found), dtype=object).duplicated(keep=False)
    return {name: path for name, path in found.items() if not taken[name]}


def _mask_stem(path: Path) -> str:
    return re.sub(MASK_ENDINGS, "", plain_stem(path), flags=re.IGNORECASE)


def _nearest(image: Path, candidates: Sequence[Path], *, alone: bool) -> Path | None:
    """Return the mask whose folders agree with those of the image, or the only one for the only image."""
    if alone and len(candidates) == 1:
        return candidates[0]
    shared = [_shared_folders(image, c) for c in candidates]
    best = max(shared, default=0)
    return candidates[shared.index(best)] if best and shared.count(best) == 1 else None


def _shared_folders(a: Path, b: Path) -> int:
    pairs = zip(reversed(a.parent.parts), reversed(b.parent.parts), strict=False)
    return next((n for n, (x, y) in enumerate(pairs) if x != y), min(len(a.parent.parts), len(b.parent.parts)))
