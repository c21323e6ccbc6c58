"""What is left between two crops once one is laid on the other, and how much of that noise alone would leave."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from mlscope_nb.curate.spectra import Floats

BLUR = 1.0  # pixels, Gaussian: finer detail is mostly noise, and cannot be moved by parts of a pixel
TINY = np.finfo(np.float64).tiny
POINTS = 48  # along each side, at most
ROUNDED = 1e-6  # share of a picture that single precision may leave
NOISE_KNOWN = 0.5  # the noise of one crop is known to within this share of itself (correlated pixels, compression)


@dataclass(frozen=True)
class Lens:
    """The places in crops of one size at which blurred pictures are compared.

    Parameters
    ----------
    size : int
        Width of the square crops in pixels.
    margin : int
        Pixels at each edge that a shifted copy need not show.
    """

    size: int
    margin: int

    @property
    def step(self) -> int:
        """Pixels between the places."""
        return max(1, -(-self.size // POINTS))

    @property
    def blur(self) -> float:
        """Width of the Gaussian in pixels."""
        return max(BLUR, 0.75 * self.step)

    @property
    def noise_left(self) -> float:
        """The share of a pixel's noise variance that the blur leaves."""
        return 1 / (4 * np.pi * self.blur**2)

    @cached_property
    def places(self) -> Floats:
        """Rows (and columns) of the places."""
        inside = self.size - 2 * self.margin
        n = (inside - 1) // self.step + 1
        first = (self.size - 1) / 2 - (n - 1) / 2 * self.step
        places: Floats = first + self.step * np.arange(n)
        return places

    @cached_property
    def plane(self) -> Floats:
        """Return (P, 3) orthonormal: a level and slopes, which illumination may change."""
        along = np.linspace(-1, 1, len(self.places))
        down, across = np.meshgrid(along, along, indexing="ij")
        columns = np.stack([np.ones(down.size), down.ravel(), across.ravel()], axis=1)
        return np.linalg.qr(columns)[0].astype(np.float32)

    def kernel(self, shift: Floats) -> tuple[Floats, Floats]:
        """Return (n, places, size) how a row is blurred and moved by shift (n,), and the change with the shift."""
        from_here = np.arange(self.size, dtype=np.float32) - self.places[:, None].astype(np.float32)
        away = (from_here + shift[:, None, None].astype(np.float32)) / np.float32(self.blur)
        weight = np.exp(-0.5 * away**2)
        # numbers next to zero make processors a hundred times slower
        weight *= np.abs(away) < 6
        weight /= weight.sum(axis=2, keepdims=True)
        mean = np.einsum("nps,nps->np", weight, away)[..., None]
        return weight, (mean - away) * weight / np.float32(self.blur)

    def seen(self, images: Floats, shift: Floats) -> Floats:
        """Return blurred and moved images, and how they change with a shift down and to the right: (n, C, 3, P)."""
        (down, down_change), (across, across_change) = (self.kernel(s) for s in shift.T)
        # contiguous, so that each product is one call of BLAS
        across, across_change = (np.ascontiguousarray(k.swapaxes(1, 2))[:, None] for k in (across, across_change))
        rows = down[:, None] @ images
        moved = rows @ across, (down_change[:, None] @ images) @ across, rows @ across_change
        return self.levelled(np.stack([m.reshape(*m.shape[:2], -1) for m in moved], axis=2))

    def blurred(self, images: Floats) -> Floats:
        """Return blurred images (n, C, P)."""
        kernel = self.kernel(np.zeros(1))[0][0]
        seen = kernel @ images @ np.ascontiguousarray(kernel.T)
        return self.levelled(seen.reshape(*seen.shape[:2], -1))

    def levelled(self, pictures: Floats) -> Floats:
        """Return pictures (…, P) less their level and slopes."""
        # the level first: in single precision it would drown what is left
        pictures = pictures - pictures.mean(axis=-1, keepdims=True)
        levelled: Floats = pictures - (pictures @ self.plane) @ self.plane.T
        return levelled


@dataclass(frozen=True)
class Differences:
    """What is left of each pair, one row each.

    Parameters
    ----------
    unexplained : array (n,)
        Share of a picture's structure that the other does not show, noise taken off; 0 for copies.
    uncertain : array (n,)
        How far noise alone can move that share.
    gain : array (n, C)
        How many times brighter each channel of the second is.
    shift : array (n, 2)
        Pixels down and to the right.
    brighter : array (n,)
        How many times brighter the second is, over channels.
    fresh : array (n,)
        What is left over what two noises leave: about 1 where each has its own, near 0 for one picture twice.
    """

    unexplained: Floats
    uncertain: Floats
    gain: Floats
    shift: Floats
    brighter: Floats
    fresh: Floats

    def chosen(self, rows: np.ndarray) -> Differences:
        """Return some of the pairs."""
        return Differences(*(getattr(self, f.name)[rows] for f in fields(self)))


def joined(parts: list[Differences]) -> Differences:
    """Return several tables as one."""
    return Differences(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Differences)))


def none(n_channels: int) -> Differences:
    """Return the table of no pairs at all."""
    nothing = np.zeros(0)
    return Differences(nothing, nothing, np.zeros((0, n_channels)), np.zeros((0, 2)), nothing, nothing)


def compare(lens: Lens, a: Floats, b: Floats, shift: Floats, noise: tuple[Floats, Floats], limit: float) -> Differences:
    """Lay pictures `a` on `b` (n, C, Y, X; turned already), near a shift, and measure what is left.

    The shift is refined to a fraction of a pixel; gain, offset, a slope of either and a last small shift are fitted
    in each channel, so that none of them counts as a difference.
    """
    target = lens.blurred(b)
    fitted, left = _fit(lens.seen(a, shift), target)
    shift = np.clip(shift + _step(fitted, left, target), -limit, limit)
    pictures = lens.seen(a, shift)
    slopes = lens.levelled(pictures[:, :, :1] * lens.plane.T[1:])
    fitted, left = _fit(np.concatenate([pictures, slopes], axis=2), target)
    gain = fitted[..., 0]
    whole = np.mean(target**2, axis=2, dtype=np.float64)
    expected = noise[1] * lens.noise_left, gain**2 * noise[0] * lens.noise_left
    structure = np.maximum(whole - expected[0], 1e-3 * whole + TINY)
    noise_share = (expected[0] + expected[1]) / structure
    share = np.where(gain > 0, left / structure - noise_share, 1.0)
    fresh = left / (expected[0] + expected[1] + ROUNDED * whole + TINY)
    doubt = NOISE_KNOWN * noise_share
    # clear channels count alike, noisy ones less, empty ones not at all
    weight = np.where(whole > 0, 1 / (1 + (2 * doubt) ** 2), 0)
    weight = weight / np.maximum(weight.sum(axis=1, keepdims=True), TINY)
    return Differences(
        unexplained=np.maximum((weight * share).sum(axis=1), 0),
        uncertain=np.sqrt(((weight * doubt) ** 2).sum(axis=1)),
        gain=gain,
        shift=shift,
        brighter=np.exp((weight * np.log(np.maximum(gain, TINY))).sum(axis=1)),
        fresh=(weight * fresh).sum(axis=1),
    )


def _fit(pictures: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Return the least-squares weights (n, C, k) of pictures (n, C, k, P) in the target, and the mean square left."""
    length = np.sqrt(np.einsum("nckp,nckp->nck", pictures, pictures))
    scale = 1 / np.maximum(length, 1e-30).astype(np.float64)
    normal = (pictures @ pictures.swapaxes(2, 3)) * scale[..., None] * scale[..., None, :]
    wanted = (pictures @ target[..., None])[..., 0] * scale
    weights = np.linalg.solve(normal + 1e-7 * np.eye(pictures.shape[2]), wanted[..., None])[..., 0] * scale
    left = target - (weights[..., None, :].astype(np.float32) @ pictures)[..., 0, :]
    return weights, np.mean(left**2, axis=2, dtype=np.float64)


def _step(fitted: Floats, left: Floats, target: Floats) -> Floats:
    """Return how much further to move, channels that agree better counting more."""
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.nan_to_num(fitted[..., 1:3] / fitted[..., :1], nan=0.0, posinf=0.0, neginf=0.0)
    clear = 1 / np.maximum(left / np.maximum((target**2).mean(axis=2), TINY), 1e-6) - 1
    weight = np.maximum(clear, 1e-9)[..., None]
    return np.clip((weight * steps).sum(axis=1) / weight.sum(axis=1), -0.5, 0.5)
