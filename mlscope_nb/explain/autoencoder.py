"""Autoencoder: crops as a few numbers that also say a model's answer, and numbers as crops again."""

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
ANSWER = 0.1
"""How much a wrong answer counts beside what is drawn wrong, both as shares of what varies."""
NOISE = 0.1
"""Of the latent numbers while learning, in their deviations: places between cells are to look like cells too."""
FLAT = 1e-3
"""Squared slope below which the answer is taken to be flat."""
ROUNDS, STRIDE = 30, 0.15
"""A walk comes to each place in at most so many strides of at most so many deviations."""
Pixels = NDArray[np.float32]


class _Layers(nn.Module):
    """Components to latent numbers and back, and to an answer: one hidden layer each, beside a straight path."""

    def __init__(self, inside: int, latent: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.straight = nn.Linear(inside, latent, bias=False)
            self.encode = nn.Sequential(nn.Linear(inside, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, latent))
            self.back = nn.Linear(latent, inside, bias=False)
            self.decode = nn.Sequential(nn.Linear(latent, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, inside))
            self.line = nn.Linear(latent, 1)
            self.bend = nn.Sequential(nn.Linear(latent, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 1))
        with torch.no_grad():
            # It begins as the leading principal components, and learns what they cannot say.
            self.straight.weight.copy_(torch.eye(latent, inside))
            self.back.weight.copy_(torch.eye(inside, latent))
            ends = (self.encode[2], self.decode[2], self.line, self.bend[2])
            for bent in (weights for layer in ends for weights in layer.parameters()):
                bent.zero_()

    def into(self, x: Tensor) -> Tensor:
        """Return latent numbers."""
        found: Tensor = self.straight(x) + self.encode(x)
        return found

    def out(self, z: Tensor) -> Tensor:
        """Return components."""
        found: Tensor = self.back(z) + self.decode(z)
        return found

    def says(self, z: Tensor) -> Tensor:
        """Return the answer (N,)."""
        found: Tensor = self.line(z) + self.bend(z)
        return found[:, 0]


@dataclass(frozen=True, eq=False)
class Autoencoder:
    """A trained autoencoder; latent numbers are uncorrelated, with mean 0 and deviation 1 in the cells it learned from.

    Parameters
    ----------
    layers : torch.nn.Module
        Between components and latent numbers, and from these to the answer.
    middle, scale : array (P, 1, 1) or like the pictures
        What is taken away from pictures, and what planes are divided by.
    axes : array (pixels, components)
        Principal components of pictures.
    centre, whitening : array (D,), (D, D)
        Of the latent numbers.
    shape : tuple of int
        Of a picture (P, size, size).
    """

    layers: _Layers
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
            z = self.layers.into(torch.from_numpy(x.astype(np.float32))).double().numpy()
        return np.asarray((z - self.centre) @ self.whitening)

    def decoded(self, latent: Floats) -> Floats:
        """Return pictures (N, P, size, size) of latent numbers (N, D)."""
        with usable_threads(), torch.inference_mode():
            x = self.layers.out(self._inside(latent)).double().numpy()
        flat = (x * self.spread) @ self.axes.T
        return np.asarray(flat.reshape(len(latent), *self.shape) * self.scale + self.middle)

    def says(self, latent: Floats) -> Floats:
        """Return the answer (N,) that goes with latent numbers (N, D)."""
        with usable_threads(), torch.inference_mode():
            found = self.layers.says(self._inside(latent))
        return np.asarray(found.double().numpy())

    def walked(self, latent: Floats, places: Floats) -> Floats:
        """Return latent numbers (N, steps, D) on the shortest ways from cells to places, which are answers.

        Each stride goes where the answer changes fastest, seen from where the walk is by then: what tells a class can
        look different from cell to cell (a lobe can be on any side), so that there is no one direction for all.
        """
        now, found = np.asarray(latent, np.float64), []
        inverse = np.linalg.inv(self.whitening)
        with usable_threads():
            for place in places:
                for _ in range(ROUNDS):
                    z = self._inside(now).requires_grad_(True)
                    said = self.layers.says(z)
                    (slope,) = torch.autograd.grad(said.sum(), z)
                    steep = slope.double().numpy() @ inverse.T
                    lacking = place - said.detach().double().numpy()
                    stride = (lacking / np.maximum(np.square(steep).sum(axis=1), FLAT))[:, None] * steep
                    size = np.linalg.norm(stride, axis=1, keepdims=True)
                    now = now + stride * np.minimum(1, STRIDE / np.maximum(size, 1e-12))
                found.append(now)
        return np.stack(found, axis=1)

    def _inside(self, latent: Floats) -> Tensor:
        """Return latent numbers as the layers have them, neither centred nor whitened."""
        z = latent @ np.linalg.inv(self.whitening) + self.centre
        return torch.from_numpy(z.astype(np.float32))

    def components(self, pictures: Pixels) -> Floats:
        """Return principal components of pictures, each with deviation 1 relative to the first."""
        flat = ((pictures - self.middle) / self.scale).reshape(len(pictures), -1)
        return np.asarray(flat @ self.axes / self.spread)

    def explained(self, pictures: Pixels) -> float:
        """Return the share of the variance of pictures (all planes counting the same) that comes back."""
        back = self.decoded(self.encoded(pictures))
        lost = np.square((pictures - back) / self.scale).sum()
        return float(1 - lost / np.square((pictures - self.middle) / self.scale).sum())


def train_autoencoder(pictures: Pixels, answers: Floats, n_latent: int, epochs: int, seed: int) -> Autoencoder:
    """Train an autoencoder whose numbers also say an answer; the same pictures and seed give the same one.

    The first and the last layer are the principal components of the pictures, every plane counting the same; between
    them is a small network that begins as the leading components. What a model goes by can be a small part of what
    varies in pictures, and would not be among a few numbers that only had to draw: so they have to say its answer too.
    Pictures are shown mirrored as well, for no cell has a left or an upper side.

    Parameters
    ----------
    pictures : array (N, P, size, size)
        Planes.
    answers : array (N,)
        What the numbers have to say, with mean 0 and deviation 1.
    """
    flat, middle, scale = _spread_out(_mirrored(pictures))
    answers = np.tile(answers, 4)
    variances, axes = leading(flat, min(COMPONENTS, len(pictures) - 1))
    n_latent = min(n_latent, len(variances))
    spread = np.full(len(variances), np.sqrt(variances[0]))
    x = torch.from_numpy((flat @ axes.astype(np.float32) / spread).astype(np.float32))
    y = torch.from_numpy(answers.astype(np.float32))
    layers = _trained(_Layers(len(variances), n_latent, seed), x, y, epochs, seed)
    with torch.inference_mode():
        z = layers.into(x).double().numpy()
    centre = z.mean(axis=0)
    values, turn = np.linalg.eigh(np.cov(z.T).reshape(n_latent, n_latent))
    whitening = turn / np.sqrt(np.maximum(values, 1e-9 * values.max()))
    return Autoencoder(layers, middle, scale, axes, spread, centre, whitening, pictures.shape[1:])


def _spread_out(pictures: Pixels) -> tuple[Pixels, Floats, Floats]:
    """Return flat pictures (N, pixels) as centred planes that vary alike, in place; what was taken off, the scale.

    One plane at a time in 64 bits, and kept in 32: a second copy of all pictures would be most of what a walk needs.
    """
    middle = pictures.mean(axis=0, dtype=np.float64)
    scale = np.ones((pictures.shape[1], 1, 1))
    for k, plane in enumerate(pictures.swapaxes(0, 1)):
        away = plane - middle[k]
        scale[k] = np.sqrt(np.square(away).mean()) or 1.0
        plane[:] = away / scale[k]
    return pictures.reshape(len(pictures), -1), middle, scale


def _mirrored(pictures: Pixels) -> Pixels:
    return np.concatenate([pictures, pictures[..., ::-1], pictures[..., ::-1, :], pictures[..., ::-1, ::-1]])


def _trained(layers: _Layers, x: Tensor, y: Tensor, epochs: int, seed: int) -> _Layers:
    made = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(layers.parameters(), lr=RATE, weight_decay=1e-3)
    steps = max(1, len(x) // BATCH)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, epochs * steps))
    varies = float(x.square().sum(dim=1).mean())
    with usable_threads():
        for _ in range(epochs):
            order = torch.randperm(len(x), generator=made)
            for part in order.chunk(steps):
                z = layers.into(x[part])
                z = z + NOISE * z.detach().std(dim=0) * torch.randn(z.shape, generator=made)
                lost = (layers.out(z) - x[part]).square().sum(dim=1).mean() / varies
                loss = lost + ANSWER * (layers.says(z) - y[part]).square().mean()
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                rate.step()
    return layers.eval()
