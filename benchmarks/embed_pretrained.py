"""EfficientNet-Lite0 on cells of 64 × 64 pixels: ours against the plain call of the package of its weights.

Both in one process, turn by turn, with the same pictures, threads and batches; the fastest of several rounds counts.

.venv/bin/python benchmarks/embed_pretrained.py [n_pictures]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlscope_nb.features.lite0 import Lite0  # noqa: E402
from mlscope_nb.features.weight_files import installed_weights  # noqa: E402
from studies._record import record  # noqa: E402

ROUNDS, BATCH = 5, 256


def plain() -> torch.nn.Module:
    """The network of the package, as its README calls it."""
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0", image_size=64)
    net.load_state_dict(installed_weights())
    return net.eval()


def seconds(call: object, pictures: torch.Tensor) -> float:
    start = time.perf_counter()
    for k in range(0, len(pictures), BATCH):
        call(pictures[k : k + BATCH])  # type: ignore[operator]
    return time.perf_counter() - start


def main(n: int = 1024) -> None:
    torch.set_grad_enabled(False)
    pictures = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (n, 3, 64, 64)).astype(np.float32))
    net, ours = plain(), Lite0(installed_weights())
    theirs = lambda x: net.extract_features(x).mean(dim=(2, 3))  # noqa: E731
    differ = float((ours(pictures[:BATCH]) - theirs(pictures[:BATCH])).abs().max())
    times = [(seconds(theirs, pictures), seconds(ours, pictures)) for _ in range(ROUNDS)]
    slow, fast = (min(t[k] for t in times) * 1000 / n for k in (0, 1))
    record(
        "embed_pretrained",
        {
            "what": f"{n} pictures of 3 × 64 × 64, batches of {BATCH}, float32, {torch.get_num_threads()} threads",
            "plain call, seconds per 1,000": round(slow, 3),
            "mlscope, seconds per 1,000": round(fast, 3),
            "times faster": round(slow / fast, 2),
            "times faster, in each round": [round(a / b, 2) for a, b in times],
            "largest difference of an output": differ,
        },
    )
    print(f"{slow:.2f} s and {fast:.2f} s per 1,000: {slow / fast:.1f} times faster; outputs within {differ:.1e}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
