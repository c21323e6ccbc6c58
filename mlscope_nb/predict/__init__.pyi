from .answering import abstention
from .evaluation import Evaluation
from .feature_model import Classifier, FeatureClassifier, Learner, train_model
from .prediction_sets import Conformal, conformal
from .set_coverage import coverage
from .splitting import Split, split
from .tables import origins
from .validation import cross_validate

__all__ = [
    "Classifier",
    "Conformal",
    "Evaluation",
    "FeatureClassifier",
    "Learner",
    "Split",
    "abstention",
    "conformal",
    "coverage",
    "cross_validate",
    "origins",
    "split",
    "train_model",
]
