from . import images
from .active import active_learning
from .advice import recommend
from .answering import abstention
from .batch_matrix import transfer
from .calibration import Calibration, calibrate
from .contents import content
from .curves import learning_curve
from .evaluation import Evaluation
from .feature_model import Classifier, FeatureClassifier, Learner, train_model
from .image_model import train_network
from .network import Network
from .novel_cells import novelty
from .planning import power
from .prediction_sets import Conformal, conformal
from .recommendation import Recommendation
from .reliabilities import reliability
from .set_coverage import coverage
from .shipped_networks import shipped
from .splitting import Split, split
from .tables import origins
from .trained import evaluate
from .validation import cross_validate
from .variances import Variances, variance_components

__all__ = [
    "Calibration",
    "Classifier",
    "Conformal",
    "Evaluation",
    "FeatureClassifier",
    "Learner",
    "Network",
    "Recommendation",
    "Split",
    "Variances",
    "abstention",
    "active_learning",
    "calibrate",
    "conformal",
    "content",
    "coverage",
    "cross_validate",
    "evaluate",
    "images",
    "learning_curve",
    "novelty",
    "origins",
    "power",
    "recommend",
    "reliability",
    "shipped",
    "split",
    "train_model",
    "train_network",
    "transfer",
    "variance_components",
]
