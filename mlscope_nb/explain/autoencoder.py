"""Autoencoder: crops as a few numbers, and numbers as crops again; learned in seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mlscope_nb.features.pretrained import usable_threads
from mlscope_nb.features.scaling import Floats
from mlscope_nb.predict.components import leading

COMPONENTS, HIDDEN = 96, 96
RATE, BATCH = 3e-3, 128
Pixels = NDArray[np.float32]


class _Layers(nn.Module):
    """Components to latent numbers and back: one hidden layer each way, beside a straight path."""

    def __init__(self, inside: int, latent: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.straight = nn.Linear(inside, latent, bias=False)
            self.encode = nn.Sequential(nn.Linear(inside, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, latent))
            self.back = nn.Linear(latent, inside, bias=False)
            self.decode = nn.Sequential(nn.Linear(latent, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, inside))
        with torch.no_grad():
            # It begins as the leading principal components, and learns what they cannot say.
            self.straight.weight.copy_(torch.eye(latent, inside))
            self.back.weight.copy_(torch.eye(inside, latent))
            for bent in (*self.encode[2].parameters(), *self.decode[2].parameters()):
                bent.zero_()

    def into(self, x: Tensor) -> Tensor:
        """Return latent numbers."""
        found: Tensor = self.straight(x) + self.encode(x)
        return found

    def out(self, z: Tensor) -> Tensor:
        """Return components."""
        found: Tensor = self.back(z) + self.decode(z)
        return found


@dataclass(frozen=True, eq=False)
class Autoencoder:
    """A trained autoencoder; latent numbers are uncorrelated, with mean 0 and deviation 1 in the cells it learned from.

    Parameters
    ----------
    layers : torch.nn.Module
        Between components.
    middle, scale : array (P, 1, 1) or like the pictures
        What is taken away from pictures, and what planes are divided by.
    axes : array (pixels, components)
        Principal components of pictures.
    centre, whitening : array (D,), (D, D)
        Of the latent numbers.
    shape : tuple of int
        Of a picture (P, size, size).
    """

    layers: nn.Module
    middle: Floats
    scale: Floats
    axes: Floats
    spread: Floats
    centre: Floats
    whitening: Floats
    shape: tuple[int, ...]

    def encoded(self, pictures: Pixels) -> Floats:
        """Return latent numbers (N, D) of pictures (N, P, size, size)."""
        x = self.components(pictures)
        with usable_threads(), torch.inference_mode():
            z = self.layers.into(torch.from_numpy(x.astype(np.float32))).double().numpy()  # type: ignore[operator]
        return np.asarray((z - self.centre) @ self.whitening)

    def decoded(self, latent: Floats) -> Floats:
        """Return pictures (N, P, size, size) of latent numbers (N, D)."""
        z = latent @ np.linalg.inv(self.whitening) + self.centre
        with usable_threads(), torch.inference_mode():
            x = self.layers.out(torch.from_numpy(z.astype(np.float32))).double().numpy()  # type: ignore[operator]
        flat = (x * self.spread) @ self.axes.T
        return np.asarray(flat.reshape(len(z), *self.shape) * self.scale + self.middle)

    def components(self, pictures: Pixels) -> Floats:
        """Return principal components of pictures, each with deviation 1 relative to the first."""
        flat = ((pictures - self.middle) / self.scale).reshape(len(pictures), -1)
        return np.asarray(flat @ self.axes / self.spread)

    def explained(self, pictures: Pixels) -> float:
        """Return the share of the variance of pictures (all planes counting the same) that comes back."""
        back = self.decoded(self.encoded(pictures))
        lost = np.square((pictures - back) / self.scale).sum()
        return float(1 - lost / np.square((pictures - self.middle) / self.scale).sum())


def train_autoencoder(pictures: Pixels, n_latent: int, epochs: int, seed: int) -> Autoencoder:
    """Train an autoencoder; the same pictures and seed give the same one.

    The first and the last layer are the principal components of the pictures, every plane counting the same; between
    them is a small network that begins as the leading components.
    """
    middle = pictures.mean(axis=0, dtype=np.float64)
    away = pictures - middle
    scale = np.sqrt(np.square(away).mean(axis=(0, 2, 3), dtype=np.float64))[:, None, None]
    scale = np.where(scale > 0, scale, 1.0)
    flat = (away / scale).reshape(len(pictures), -1)
    variances, axes = leading(flat, min(COMPONENTS, len(pictures) - 1))
    n_latent = min(n_latent, len(variances))
    spread = np.full(len(variances), np.sqrt(variances[0]))
    x = torch.from_numpy((flat @ axes / spread).astype(np.float32))
    layers = _trained(_Layers(len(variances), n_latent, seed), x, epochs, seed)
    with torch.inference_mode():
        z = layers.into(x).double().numpy()
    centre = z.mean(axis=0)
    values, turn = np.linalg.eigh(np.cov(z.T).reshape(n_latent, n_latent))
    whitening = turn / np.sqrt(np.maximum(values, 1e-9 * values.max()))
    return Autoencoder(layers, middle, scale, axes, spread, centre, whitening, pictures.shape[1:])


def _trained(layers: _Layers, x: Tensor, epochs: int, seed: int) -> _Layers:
    made = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(layers.parameters(), lr=RATE, weight_decay=1e-3)
    steps = max(1, len(x) // BATCH)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, epochs * steps))
    with usable_threads():
        for _ in range(epochs):
            order = torch.randperm(len(x), generator=made)
            for part in order.chunk(steps):
                loss = (layers.out(layers.into(x[part])) - x[part]).square().mean()
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                rate.step()
    return layers.eval()
