from .evaluation import Evaluation
from .feature_model import Classifier, FeatureClassifier, Learner, train_model
from .splitting import Split, split
from .tables import origins
from .validation import cross_validate

__all__ = [
    "Classifier",
    "Evaluation",
    "FeatureClassifier",
    "Learner",
    "Split",
    "cross_validate",
    "origins",
    "split",
    "train_model",
]
