from .attributions import MapsView, maps
from .colours import category_colours
from .comparison import Comparison, compare
from .confusionview import ConfusionView, confusion
from .curve import learning_curve
from .distributions import histogram
from .estimates import estimates
from .exploring import explore
from .fieldview import FieldView
from .folderreader import FolderReader, read_folder
from .galleryview import Gallery, gallery
from .grades import grades
from .map import scatter
from .matrix import matrix
from .pitfallview import PitfallView, pitfall
from .platemap import plate_map
from .runningview import Running, running, shut_down
from .selection import Selection, selection_of
from .thresholds import tune_threshold
from .thresholdview import ThresholdView
from .training import LabelTrainCorrect, label_train_correct
from .tuning import SegmentationTuner, tune_segmentation
from .viewer import fields
from .walks import WalkView, walk
from .work import Restored, restore_work, save_work
from .workbench import Workbench

__all__ = [
    "Comparison",
    "ConfusionView",
    "FieldView",
    "FolderReader",
    "Gallery",
    "LabelTrainCorrect",
    "MapsView",
    "PitfallView",
    "Restored",
    "Running",
    "SegmentationTuner",
    "Selection",
    "ThresholdView",
    "WalkView",
    "Workbench",
    "category_colours",
    "compare",
    "confusion",
    "estimates",
    "explore",
    "fields",
    "gallery",
    "grades",
    "histogram",
    "label_train_correct",
    "learning_curve",
    "maps",
    "matrix",
    "pitfall",
    "plate_map",
    "read_folder",
    "restore_work",
    "running",
    "save_work",
    "scatter",
    "selection_of",
    "shut_down",
    "tune_segmentation",
    "tune_threshold",
    "walk",
]
