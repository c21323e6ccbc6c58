"""Labels out: a table that a spreadsheet opens and the workbench takes back."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mlscope_nb._files import new_target, replacing
from mlscope_nb._words import no_column, some
from mlscope_nb.annotations import AnnotationLog
from mlscope_nb.cells import Cells

ID = "cell_id"


def write_labels(
    cells_or_log: Cells | AnnotationLog,
    path: str | Path,
    *,
    columns: str | Iterable[str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write labels as CSV: the column ``cell_id``, and a column for each kind of label.

    Parameters
    ----------
    cells_or_log : Cells or AnnotationLog
        Of cells, columns of `obs`, one row for each cell. Of a log, the labels that stand now, one row for each cell
        that has any.
    path : path
        The file, with the ending ``.csv``.
    columns : str or several, optional
        Which columns; by default the declared label of cells, and everything in a log.
    overwrite : bool
        Replace an older file.

    Returns
    -------
    Path
        The file, there only when all is written.

    Raises
    ------
    KeyError
        A column is not there.
    ValueError
        No column is named and no label is declared, the log is empty, or the ending is another.
    FileExistsError, OSError
        As of `write_h5ad`: there is a file of this name, or no room for one.

    Examples
    --------
    >>> import tempfile
    >>> log = AnnotationLog(who="ada")
    >>> _ = log.add(["c1", "c2"], "phenotype", "round")
    >>> print(write_labels(log, Path(tempfile.mkdtemp()) / "labels.csv").read_text())
    cell_id,phenotype
    c1,round
    c2,round
    <BLANKLINE>
    """
    target = new_target(path, overwrite=overwrite)
    if target.suffix.lower() != ".csv":
        raise ValueError(f"'{target.name}' does not end in '.csv'. Rename it.")
    if target.is_dir():
        raise IsADirectoryError(f"'{target}' is a folder, so it is not replaced. Choose another name.")
    wanted = [columns] if isinstance(columns, str) else None if columns is None else list(columns)
    table = (
        _of_log(cells_or_log, wanted) if isinstance(cells_or_log, AnnotationLog) else _of_cells(cells_or_log, wanted)
    )
    with replacing(target) as part:
        table.to_csv(part, index_label=ID, encoding="utf-8", quoting=csv.QUOTE_MINIMAL)
    return target


def _of_cells(cells: Cells, wanted: list[str] | None) -> pd.DataFrame:
    if wanted is None and cells.design.label is None:
        raise ValueError("No label is declared. Name the columns to write: columns='phenotype'.")
    obs = cells.obs
    names = wanted if wanted is not None else [str(cells.design.label)]
    for name in names:
        if name not in obs.columns:
            raise KeyError(no_column(name, obs.columns, "Name columns of obs with columns=…"))
    return obs[names]


def _of_log(log: AnnotationLog, wanted: list[str] | None) -> pd.DataFrame:
    missing = [name for name in wanted or () if name not in log.columns]
    if missing:
        raise KeyError(f"Not in the log: {some(missing)}. It holds {some(log.columns, 20) or 'nothing'}.")
    names = wanted if wanted is not None else log.columns
    if not names:
        raise ValueError("The log holds no labels yet. Label some cells first.")
    ids = list(dict.fromkeys(i for entry in log.standing if entry.column in names for i in entry.cell_ids))
    table = pd.DataFrame({name: log.column(name, ids) for name in names}, index=pd.Index(ids, dtype=object))
    return table[table.notna().any(axis=1)]
