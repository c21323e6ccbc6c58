"""Tiles: a picture of any size, a piece at a time, as if it had been done at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

Answer = Callable[[Tensor, Tensor, Tensor], Tensor]
RIM = 16
"""Pixels by which a picture is mirrored beyond its rim."""


def in_tiles(picture: np.ndarray, answer: Answer, n_outputs: int, *, tile: int, halo: int, grid: int) -> np.ndarray:
    """Return the answer (O, Y, X) to a picture (C, Y, X), computed tile by tile.

    The picture is mirrored a little beyond its rim. Each tile is answered with a halo as wide as the network looks, and
    tiles begin on the grid of its halved pictures, so that the tiles fit without seams.

    Parameters
    ----------
    picture : float array (C, Y, X)
    answer : function
        From a tensor (1, C, y, x), and the rows (y,) and columns (x,) that it shows, to one (1, O, y, x).
    n_outputs : int
        O.
    tile : int
        Side of a tile; it is rounded up to the grid.
    halo : int
        How far the network looks, a multiple of the grid.
    grid : int
        What sides have to be multiples of.

    Examples
    --------
    >>> picture = np.arange(60.0, dtype=np.float32).reshape(1, 6, 10)
    >>> same = in_tiles(picture, lambda x, rows, columns: x, 1, tile=8, halo=8, grid=8)
    >>> bool((same == picture).all())
    True
    """
    height, width = picture.shape[1:]
    frame = [(RIM, RIM + (-(n + 2 * RIM)) % grid) for n in (height, width)]
    # "reflect" repeats itself where a picture is smaller than its frame.
    canvas = torch.from_numpy(np.pad(np.asarray(picture, np.float32), [(0, 0), *frame], mode="reflect"))
    shown = [
        torch.from_numpy(np.pad(np.arange(n), f, mode="reflect")) for n, f in zip((height, width), frame, strict=True)
    ]
    side = -(-max(tile, grid) // grid) * grid
    result = np.empty((n_outputs, *canvas.shape[1:]), np.float32)
    for inner in _pieces((canvas.shape[1], canvas.shape[2]), side):
        outer = tuple(
            slice(max(0, s.start - halo), min(n, s.stop + halo)) for s, n in zip(inner, canvas.shape[1:], strict=True)
        )
        said = answer(canvas[(slice(None), *outer)][None], shown[0][outer[0]], shown[1][outer[1]])[0]
        own = tuple(slice(s.start - b.start, s.stop - b.start) for s, b in zip(inner, outer, strict=True))
        result[(slice(None), *inner)] = said[(slice(None), *own)].cpu().numpy()
    return result[:, RIM : RIM + height, RIM : RIM + width]


def _pieces(shape: tuple[int, int], side: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, shape[0], side):
        for left in range(0, shape[1], side):
            yield slice(top, min(top + side, shape[0])), slice(left, min(left + side, shape[1]))
