"""Profiles out: tables of features that pycytominer and other profiling tools take."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pandas as pd

from mlscope_nb._files import new_target, replacing
from mlscope_nb._store import _plain
from mlscope_nb._tables import refuse_unstorable
from mlscope_nb._words import count, some
from mlscope_nb.cells import Cells
from mlscope_nb.io.profile_notes import ID, found, names_of, notes_of, values_of

KEY = b"mlscope"
ENDINGS = (".parquet", ".csv", ".csv.gz")


def write_profiles(cells: Cells, path: str | Path, *, prefix: str | None = None, overwrite: bool = False) -> Path:
    """Write features as a table that pycytominer normalises, selects and aggregates.

    One row for each cell (or well, after `aggregate`), features under their own names, everything else with
    ``Metadata_`` in front, the id as ``Metadata_cell_id``. Parquet keeps all types, and beside the table what
    `read_profiles` needs to give back what was written: names, channels, pixel size, design, history. CSV keeps the
    values. Maps and images are not written.

    Parameters
    ----------
    cells : Cells
        With features.
    path : path
        The file; its ending says how it is written: ``.parquet``, ``.csv`` or ``.csv.gz``.
    prefix : str, optional
        Put this in front of features that do not begin with Cells, Nuclei or Cytoplasm, as in "Cells". Without it
        pycytominer has to be told which columns are features.
    overwrite : bool
        Replace an older file.

    Returns
    -------
    Path
        The file, there only when all is written.

    Raises
    ------
    ValueError
        There are no features, the ending is another, two columns would have one name, or a column cannot be stored.
    FileExistsError, OSError
        As of `write_h5ad`: there is a file of this name, or no room for one.

    Examples
    --------
    >>> import tempfile
    >>> obs = pd.DataFrame({"plate": ["p1", "p1"]}, index=["a", "b"])
    >>> areas = pd.DataFrame({"Cells_AreaShape_Area": [50.0, 60.0]}, index=["a", "b"])
    >>> path = write_profiles(Cells(obs, features=areas), Path(tempfile.mkdtemp()) / "profiles.csv")
    >>> print(path.read_text())
    Metadata_cell_id,Metadata_plate,Cells_AreaShape_Area
    a,p1,50.0
    b,p1,60.0
    <BLANKLINE>

    Source: the conventions of pycytominer 1.7 and CytoTable; checked with pycytominer.
    """
    if cells.features is None:
        raise ValueError(
            "These cells have no features to write. Measure them: cells.with_features(ms.features.measure(cells))."
        )
    target = new_target(path, overwrite=overwrite)
    if not target.name.lower().endswith(ENDINGS):
        raise ValueError(f"'{target.name}' ends neither in '.parquet' nor '.csv' nor '.csv.gz'. Rename it.")
    if target.is_dir():
        raise IsADirectoryError(f"'{target}' is a folder, so it is not replaced. Choose another name.")
    obs, features = names_of(cells, prefix)
    _say_what_is_not_found(list(features.values()))
    refuse_unstorable(cells.obs, "obs")
    table = pd.concat([values_of(cells.obs).rename(columns=obs), cells.features.rename(columns=features)], axis=1)
    table.insert(0, ID, list(cells.ids))
    with replacing(target) as part:
        if target.suffix.lower() == ".parquet":
            _write_parquet(table, part, json.dumps(notes_of(cells, obs, features), default=_plain))
        else:
            table.to_csv(part, index=False, compression="gzip" if target.suffix.lower() == ".gz" else None)
    return target


def _write_parquet(table: pd.DataFrame, part: Path, notes: str) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    plain = table.reset_index(drop=True)
    plain.attrs = {}
    try:
        arrow = pa.Table.from_pandas(plain, preserve_index=False)
    except pa.ArrowException as error:
        raise ValueError(f"The table cannot be stored: {error}. Make the column one kind of number or text.") from error
    parquet.write_table(arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), KEY: notes.encode()}), part)


def _say_what_is_not_found(features: list[str]) -> None:
    odd = [name for name in features if not found(name)]
    if odd:
        warnings.warn(
            f"{count(len(odd), 'feature')} of {len(features):,} that pycytominer does not find by itself, because "
            f"their names do not begin with Cells, Nuclei or Cytoplasm: {some(odd, 3)}. Tell it features=[…] (every "
            "column without 'Metadata_' in front), or write with prefix='Cells'.",
            UserWarning,
            stacklevel=3,
        )
