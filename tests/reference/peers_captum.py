"""Maps of a small network by captum 0.9, for tests/explain/test_captum.py.

Captum brings matplotlib and is not needed otherwise, so it lives in an environment of its own, beside PyTorch:

    python -m venv peers_captum && peers_captum/bin/python -m pip install captum==0.9.0
    peers_captum/bin/python tests/reference/peers_captum.py

It writes peers_captum.npz beside this file.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

FILE = Path(__file__).with_suffix(".npz")
PATCH, STRIDE, STEPS, NOISE = 5, 3, 50, 0.1
SAMPLES = 4000


class Small(nn.Module):
    """Two convolutions with kinks between them, mean and largest value of each map, three classes."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.head = nn.Linear(12, 3)
        rng = np.random.default_rng(0)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.from_numpy(rng.normal(size=tuple(weight.shape)) / np.sqrt(weight[0].numel())))

    def forward(self, images):
        x = torch.relu(self.second(torch.relu(self.first(images))))
        return self.head(torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1))


def inputs():
    """Crops (3, 2, 16, 16), baselines of the same shape, and the class asked about for each."""
    rng = np.random.default_rng(1)
    crops, baselines = (torch.from_numpy(rng.random((3, 2, 16, 16)).astype(np.float32)) for _ in range(2))
    return crops, baselines, torch.tensor([0, 2, 1])


def main():
    import captum
    from captum.attr import (
        IntegratedGradients,
        LayerAttribution,
        LayerGradCam,
        LayerGradientXActivation,
        NoiseTunnel,
        Occlusion,
        Saliency,
    )

    model, (crops, baselines, codes) = Small().eval(), inputs()
    torch.manual_seed(0)
    cam = LayerGradCam(model, model.second).attribute(crops, codes)
    patches = {
        f"occlusion_{name}": Occlusion(model).attribute(
            crops, (n, PATCH, PATCH), strides=(n, STRIDE, STRIDE), baselines=baselines, target=codes
        )
        for name, n in (("together", 2), ("each", 1))
    }
    found = {
        "gradient": Saliency(model).attribute(crops, codes, abs=False),
        "integrated_gradients": IntegratedGradients(model).attribute(crops, baselines, codes, n_steps=STEPS),
        "smoothgrad": NoiseTunnel(Saliency(model)).attribute(
            crops, nt_type="smoothgrad", nt_samples=SAMPLES, nt_samples_batch_size=200, stdevs=NOISE, target=codes,
            abs=False,
        ),
        "gradcam": cam,
        "hirescam": LayerGradientXActivation(model, model.second).attribute(crops, codes).sum(dim=1, keepdim=True),
        "gradcam_stretched": LayerAttribution.interpolate(cam, (16, 16), "bilinear"),
        **patches,
    }  # fmt: skip
    arrays = {name: value.detach().numpy().astype(np.float32) for name, value in found.items()}
    np.savez_compressed(FILE, captum_version=np.array(captum.__version__), **arrays)


if __name__ == "__main__":
    main()
