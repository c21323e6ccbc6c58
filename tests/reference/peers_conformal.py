"""What MAPIE and crepes say of the prediction sets of one small table, for tests that do not need them.

In an environment of its own (pip install mapie crepes): python tests/reference/peers_conformal.py
"""

import json
from importlib import metadata
from pathlib import Path

import numpy as np

N, LEVEL = 120, 0.87
# A level at which (n + 1) (1 - level) is whole for no class: there crepes keeps one score more than MAPIE does.


def table():
    """Probabilities of 240 cells for four classes, and classes drawn from a flatter version of them."""
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(2 * N, 4)) * 1.5
    given, true = (np.exp(logits * f) / np.exp(logits * f).sum(axis=1, keepdims=True) for f in (1.0, 0.7))
    return given, np.array([rng.choice(4, p=p) for p in true])


def packed(sets):
    """One text for each cell: the numbers of its classes."""
    return ["".join(str(k) for k in np.flatnonzero(row)) for row in np.asarray(sets)]


def crepes_sets(scores, truth, bins=False):
    from crepes import ConformalClassifier

    own = scores[np.arange(2 * N), truth][:N]
    model = ConformalClassifier()
    if not bins:
        model.fit(own)
        return model.predict_set(scores[N:], confidence=LEVEL, smoothing=False)
    model.fit(own, bins=truth[:N])
    columns = [model.predict_set(scores[N:], bins=np.full(N, k), confidence=LEVEL, smoothing=False) for k in range(4)]
    return np.column_stack([found[:, k] for k, found in enumerate(columns)])


def mapie_sets(given, truth, method):
    from mapie.classification import SplitConformalClassifier
    from mapie.conformity_scores import APSConformityScore
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Ready(ClassifierMixin, BaseEstimator):
        classes_, is_fitted_ = np.arange(4), True

        def predict_proba(self, X):
            return given[np.asarray(X)[:, 0].astype(int)]

        def predict(self, X):
            return self.predict_proba(X).argmax(axis=1)

    class NotRandom(np.random.RandomState):
        # MAPIE subtracts u times the probability of the class; with u = 0 its score is the plain sum.
        def uniform(self, low=0.0, high=1.0, size=None):
            return np.zeros(size)

    score = APSConformityScore() if method == "aps" else "lac"
    model = SplitConformalClassifier(Ready(), LEVEL, score, prefit=True, random_state=NotRandom(0))
    rows = np.arange(2 * N)[:, None]
    model.conformalize(rows[:N], truth[:N])
    return model.predict_set(rows[N:], {"include_last_label": False} if method == "aps" else None)[1][:, :, 0]


if __name__ == "__main__":
    given, truth = table()
    order = np.argsort(-given, axis=1)
    sums = np.empty_like(given)
    np.put_along_axis(sums, order, np.minimum(np.cumsum(np.take_along_axis(given, order, 1), axis=1).round(12), 1), 1)
    answers = {
        "versions": {name: metadata.version(name) for name in ("mapie", "crepes")},
        "mapie lac": packed(mapie_sets(given, truth, "lac")),
        "mapie aps": packed(mapie_sets(given, truth, "aps")),
        "crepes lac": packed(crepes_sets(1 - given, truth)),
        "crepes aps": packed(crepes_sets(sums, truth)),
        "crepes lac by class": packed(crepes_sets(1 - given, truth, bins=True)),
    }
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(answers) + "\n", encoding="utf-8")
    print(f"{target.name}: {target.stat().st_size:,} bytes")
