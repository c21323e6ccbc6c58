"""What cleanlab makes of small tables of labels and probabilities, for tests that need no cleanlab.

In an environment of its own (pip install cleanlab==2.9.0):
python tests/reference/peers_labels.py
"""

import json
from importlib import metadata
from pathlib import Path

import numpy as np
from cleanlab.count import compute_confident_joint, get_confident_thresholds
from cleanlab.filter import find_label_issues


def drawn(seed, n, k, noise, sharpness, missing=None):
    """Labels with noise, and probabilities of a model that is right more often the larger `sharpness`."""
    rng = np.random.default_rng(seed)
    true = rng.choice(k, size=n, p=rng.dirichlet(np.full(k, 5.0)))
    scores = rng.normal(size=(n, k))
    scores[np.arange(n), true] += sharpness
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    probabilities = np.round(probabilities, 4)
    probabilities[:, -1] = 1 - probabilities[:, :-1].sum(axis=1)
    wrong = rng.random(n) < noise
    labels = np.where(wrong, (true + rng.integers(1, k, n)) % k, true)
    if missing is not None:
        labels = np.where(labels == missing, (missing + 1) % k, labels)
    return labels, probabilities


def flat(k):
    """Probabilities that say nothing: every cell is at the threshold of every class, and ties decide."""
    return np.arange(12) % k, np.full((12, k), 1 / k)


CASES = {
    "two classes": lambda: drawn(1, 60, 2, 0.15, 1.5),
    "four classes": lambda: drawn(2, 120, 4, 0.1, 2.0),
    "seven classes, weak": lambda: drawn(3, 140, 7, 0.2, 0.7),
    "a class without labels": lambda: drawn(4, 60, 3, 0.1, 2.0, missing=1),
    "ties": lambda: flat(4),
}


def answers(labels, probabilities):
    return {
        "labels": labels.tolist(),
        "probabilities": probabilities.tolist(),
        "thresholds": get_confident_thresholds(labels, probabilities).tolist(),
        "counts": compute_confident_joint(labels, probabilities, calibrate=False).tolist(),
        "calibrated": compute_confident_joint(labels, probabilities, calibrate=True).tolist(),
        "issues": np.flatnonzero(find_label_issues(labels, probabilities, filter_by="confident_learning")).tolist(),
    }


if __name__ == "__main__":
    found = {"version": metadata.version("cleanlab"), "cases": {k: answers(*make()) for k, make in CASES.items()}}
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(found) + "\n", encoding="utf-8")
    print(f"{target.name}: {target.stat().st_size:,} bytes")
