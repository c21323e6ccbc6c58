"""Files in, segmentation, crops: from what the microscope wrote to single cells."""

from mlscope_nb.io.bioio_files import read_bioio
from mlscope_nb.io.cellprofiler import read_cellprofiler
from mlscope_nb.io.crop_files import read_crops
from mlscope_nb.io.crops import crop
from mlscope_nb.io.field_files import read_fields
from mlscope_nb.io.folder_export import write_fields
from mlscope_nb.io.h5ad_export import write_h5ad
from mlscope_nb.io.h5ad_import import read_h5ad
from mlscope_nb.io.h5sc import read_h5sc
from mlscope_nb.io.label_export import write_labels
from mlscope_nb.io.medmnist import read_medmnist
from mlscope_nb.io.napari_layers import napari_layers
from mlscope_nb.io.omezarr_export import write_omezarr
from mlscope_nb.io.omezarr_import import read_omezarr
from mlscope_nb.io.profile_export import write_profiles
from mlscope_nb.io.profiles import read_profiles
from mlscope_nb.io.recognising import recognise
from mlscope_nb.io.segmentation import segment, segment_cells

__all__ = [
    "crop",
    "napari_layers",
    "read_bioio",
    "read_cellprofiler",
    "read_crops",
    "read_fields",
    "read_h5ad",
    "read_h5sc",
    "read_medmnist",
    "read_omezarr",
    "read_profiles",
    "recognise",
    "segment",
    "segment_cells",
    "write_fields",
    "write_h5ad",
    "write_labels",
    "write_omezarr",
    "write_profiles",
]
