"""Files in, segmentation, crops: from what the microscope wrote to single cells."""

from mlscope_nb.io.crop_files import read_crops
from mlscope_nb.io.crops import crop
from mlscope_nb.io.field_files import read_fields
from mlscope_nb.io.h5ad_export import write_h5ad
from mlscope_nb.io.omezarr_export import write_omezarr
from mlscope_nb.io.segmentation import segment, segment_cells

__all__ = ["crop", "read_crops", "read_fields", "segment", "segment_cells", "write_h5ad", "write_omezarr"]
