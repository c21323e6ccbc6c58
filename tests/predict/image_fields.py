"""Small fields of discs for tests of image networks: actin discs with DNA in their middle, wells of three fields."""

import numpy as np
import pandas as pd
from scipy import ndimage

from mlscope_nb.fields import Fields

SIDE = 64


def discs(n_fields=6, n_discs=6, side=SIDE, noise=4.0, seed=0, gain=1.0, with_label=False):
    """Return noisy fields of discs (16 bit, DNA and actin) with masks, and the same without noise."""
    rng = np.random.default_rng(seed)
    images, clean, masks = [], [], []
    for _ in range(n_fields):
        mask = np.zeros((side, side), np.int32)
        places = rng.integers(4, side - 4, (n_discs, 2))
        for k, place in enumerate(places, start=1):
            mask[np.hypot(*(np.mgrid[:side, :side] - place[:, None, None])) < 6] = k
        mask = np.unique(mask, return_inverse=True)[1].reshape(mask.shape).astype(np.int32)
        core = ndimage.grey_erosion(mask, 5) > 0
        light = np.stack([100.0 * core, 60.0 * (mask > 0)])
        light = 20 + gain * np.stack([ndimage.gaussian_filter(c, 1) for c in light])
        clean.append(10 * light.astype(np.float32))
        images.append((10 * (light + noise * rng.normal(size=light.shape))).clip(0).astype(np.uint16))
        masks.append(mask)
    obs = pd.DataFrame({"well": [f"w{k // 2}" for k in range(n_fields)]}, index=[f"f{k}" for k in range(n_fields)])
    obs["drug"] = [("x", "y")[k // 2 % 2] for k in range(n_fields)]
    known = {"channels": ["DNA", "actin"], "unit": "well", **({"label": "drug"} if with_label else {})}
    return Fields(obs, images, masks, **known), Fields(obs, clean, masks, **known)
