"""Parts: the files that one field leaves in the store, each of them whole or not there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from mlscope_nb._files import replacing, write_text
from mlscope_nb._store import _json
from mlscope_nb._tables import from_parquet, to_parquet
from mlscope_nb.cells import Cells
from mlscope_nb.io.crops import WRITTEN
from mlscope_nb.pipeline.recipe import Made, Recipe
from mlscope_nb.pipeline.sources import Kind, part_name

TABLES, CROPS, EMBEDDED, DECIDED, PROBLEMS = "tables", "crops", "embedded", "decided", "problems"
NAMES = "embedded_columns.json"
EMPTY = pd.DataFrame(
    {"field_id": pd.Series(dtype=object), "object": pd.Series(dtype="int64")}, index=pd.Index([], name="cell_id")
)


@dataclass(frozen=True)
class Part:
    """The files of one field.

    Parameters
    ----------
    folder : Path
        The store.
    field_id : str
    """

    folder: Path
    field_id: str

    @property
    def table(self) -> Path:
        """Numbers of cells: what `crop` knows of them and what was measured. Written last: a field with it is done."""
        return self._file(TABLES, "parquet")

    @property
    def crops(self) -> Path:
        """Crops, masks and compartments, one record per cell."""
        return self._file(CROPS, "npy")

    @property
    def embedded(self) -> Path:
        """Numbers of a network, float32 (n, P)."""
        return self._file(EMBEDDED, "npy")

    @property
    def decided(self) -> Path:
        """What each step decided for this field, as the history of `Cells` says it."""
        return self._file(DECIDED, "json")

    @property
    def problem(self) -> Path:
        """Why the field failed."""
        return self._file(PROBLEMS, "json")

    def is_done(self, recipe: Recipe) -> bool:
        """Whether all of the field's files are there; a damaged table counts as none."""
        wanted = [self.crops, *([self.embedded] if recipe.embeds else [])]
        n = self.n_cells()
        return n == 0 or (n is not None and all(file.is_file() for file in wanted))

    def n_cells(self) -> int | None:
        """Return how many cells the field has, or None where there is no sound table."""
        import pyarrow.parquet as pq

        try:
            return int(pq.read_metadata(self.table).num_rows)
        except (pa.ArrowException, OSError):
            return None

    def write(self, made: Made) -> int:
        """Write what became of the field, the table last; return the number of cells."""
        if made.cells is not None:
            _save(self.crops, records(made.cells))
        if made.embedded is not None:
            self._name_columns(list(map(str, made.embedded.columns)))
            _save(self.embedded, made.embedded.to_numpy(np.float32))
        table = EMPTY if made.cells is None else made.cells.obs[list(WRITTEN)]
        table = table if made.measured is None else table.join(made.measured)
        content = to_parquet(table, self.field_id)
        write_text(self.decided, _json({"history": made.history}))
        with replacing(self.table) as file:
            file.write_bytes(content)
        self.problem.unlink(missing_ok=True)
        return len(table)

    def fail(self, step: str, error: str, details: str = "") -> None:
        """Write down why the field failed."""
        told = {"field_id": self.field_id, "step": step, "error": error, "details": details}
        write_text(self.problem, json.dumps(told, ensure_ascii=False, indent=1))

    def failure(self) -> dict[str, str] | None:
        """Return why the field failed, or None."""
        if not self.problem.is_file():
            return None
        told: dict[str, str] = json.loads(self.problem.read_text(encoding="utf-8"))
        return told

    def read_table(self) -> pd.DataFrame:
        """Return the table of the field's cells.

        Raises
        ------
        ValueError
            The file is damaged.
        """
        try:
            return from_parquet(self.table.read_bytes())
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ValueError(f"'{self.table}' cannot be read: {error}. Delete it and run again.") from error

    def _name_columns(self, names: list[str]) -> None:
        """Keep the names of a network's numbers once for all fields."""
        file = self.folder / NAMES
        if not file.is_file():
            write_text(file, json.dumps(names))
        elif json.loads(file.read_text(encoding="utf-8")) != names:
            raise ValueError(f"the network gives {len(names)} other numbers than it did for the first field")

    def _file(self, kind: str, ending: str) -> Path:
        return self.folder / kind / f"{part_name(self.field_id)}.{ending}"


def records(cells: Cells) -> NDArray[Any]:
    """Return crops, masks and compartments of cells as one record for each cell."""
    arrays = {"images": cells.images, "masks": cells.masks, **{f"of {k}": v for k, v in cells.compartments.items()}}
    kind = np.dtype([(name, array.dtype, array.shape[1:]) for name, array in arrays.items()])
    result = np.empty(len(cells), kind)
    for name, array in arrays.items():
        result[name] = array
    return result


def make_folders(store: Path) -> None:
    """Make the folders of a store."""
    for kind in (TABLES, CROPS, EMBEDDED, DECIDED, PROBLEMS):
        (store / kind).mkdir(parents=True, exist_ok=True)


def check_kind(found: Kind, expected: Kind) -> None:
    """Refuse a field that is unlike the others.

    Raises
    ------
    ValueError
        It has other channels or other pixels.
    """
    if found.channels != expected.channels:
        raise ValueError(f"has the channels {list(found.channels)}, the first field has {list(expected.channels)}")
    if found.dtype != expected.dtype:
        raise ValueError(f"holds {found.dtype}, the first field holds {expected.dtype}")


def _save(file: Path, array: NDArray[Any]) -> None:
    with replacing(file) as part, open(part, "wb") as out:
        np.save(out, array, allow_pickle=False)
