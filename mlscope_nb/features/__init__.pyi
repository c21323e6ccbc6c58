from .aggregation import aggregate
from .batches import BatchReport, batch_report
from .encoder import Encoder, random_encoder
from .foregrounds import foreground
from .glossary import describe
from .measurements import families, measure
from .normalization import Normalizer, normalize
from .pixels import PixelNormalizer, normalize_pixels
from .pretrained import embed_pretrained
from .selection import select
from .selfsupervised import train_selfsupervised

__all__ = [
    "BatchReport",
    "Encoder",
    "Normalizer",
    "PixelNormalizer",
    "aggregate",
    "batch_report",
    "describe",
    "embed_pretrained",
    "families",
    "foreground",
    "measure",
    "normalize",
    "normalize_pixels",
    "random_encoder",
    "select",
    "train_selfsupervised",
]
