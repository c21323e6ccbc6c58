"""Sources: each field as something small that can be sent to a worker, which reads it there."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlscope_nb._align import identified
from mlscope_nb._design import Design, declare
from mlscope_nb._words import some
from mlscope_nb.fields import Fields
from mlscope_nb.io import file_tables, listing, read_fields
from mlscope_nb.io.listing import Paths

ROLES = ("label", "unit", "batch", "control", "treatment")
UNREADABLE = (OSError, ValueError, TypeError, KeyError)
Item = np.ndarray | Callable[[], np.ndarray]


@dataclass(frozen=True)
class Kind:
    """What all fields have in common: channels, the type of their pixels, micrometres per pixel."""

    channels: tuple[str, ...]
    dtype: str
    pixel_size_um: float | None

    @classmethod
    def of(cls, field: Fields) -> Kind:
        """Return the kind of a field that was read."""
        return cls(tuple(field.channels), field.images[0].dtype.name, field.pixel_size_um)


@dataclass(frozen=True)
class FieldSource:
    """One field of `Fields`: its arrays, or the functions that read them.

    Parameters
    ----------
    field_id : str
    image, mask : array, function, or None
    compartments : dict of arrays or functions
    channels, pixel_size_um
        As in `Fields`.
    """

    field_id: str
    image: Item
    mask: Item | None
    compartments: dict[str, Item]
    channels: tuple[str, ...]
    pixel_size_um: float | None

    def read(self) -> Fields:
        """Read the field, without what is known about it."""
        return Fields(
            pd.DataFrame(index=pd.Index([self.field_id], name="field_id")),
            [_array(self.image)],
            None if self.mask is None else [_array(self.mask)],
            compartments={name: [_array(item)] for name, item in self.compartments.items()},
            channels=self.channels,
            pixel_size_um=self.pixel_size_um,
        )


@dataclass(frozen=True)
class FileSource:
    """One field in one file, or in one file for each channel, opened by the worker only.

    Parameters
    ----------
    field_id : str
    files : tuple of str
    channels : tuple of str, optional
        Names given by hand.
    options : dict
        More options of ``ms.io.read_fields``.
    """

    field_id: str
    files: tuple[str, ...]
    channels: tuple[str, ...] | None
    options: dict[str, Any]

    def read(self) -> Fields:
        """Read the field, without what is known about it."""
        several = len(self.files) > 1
        names = None if several else self.channels
        parts = [_read_one(file, names, self.options) for file in self.files]
        first = parts[0]
        image = np.concatenate([part.images[0] for part in parts])
        return Fields(
            pd.DataFrame(index=pd.Index([self.field_id], name="field_id")),
            [image],
            None if first.masks is None else [first.masks[0]],
            channels=self.channels if several else first.channels,
            pixel_size_um=first.pixel_size_um,
        )


Source = FieldSource | FileSource


@dataclass(frozen=True)
class Listed:
    """All fields of a study, not read yet.

    Parameters
    ----------
    sources : list
        One for each field, in order.
    obs : DataFrame
        What is known about each field, by field id.
    design : Design
    history : list of dict
    problems : list of dict
        What was left out before anything was read.
    masks : bool
        Whether fields come with masks.
    reading : dict
        The options with which workers read files; part of the settings.
    """

    sources: list[Source]
    obs: pd.DataFrame
    design: Design
    history: list[dict[str, Any]]
    problems: list[dict[str, str]]
    masks: bool
    reading: dict[str, Any]

    def kind(self) -> Kind | None:
        """Return the kind of the first field that can be read, or None."""
        for source in self.sources:
            try:
                return Kind.of(source.read())
            except UNREADABLE:
                continue
        return None


def listed(fields: Fields | Paths, read: Mapping[str, Any] | None) -> Listed:
    """List the fields of a study without reading them.

    Raises
    ------
    ValueError, KeyError, FileNotFoundError
        There is nothing to read, or the table does not fit.
    """
    if not isinstance(fields, Fields):
        return _of_files(fields, dict(read or {}))
    if read:
        raise ValueError("read holds options of ms.io.read_fields, but these fields are listed already. Leave it out.")
    return _of_fields(fields)


def part_name(field_id: str) -> str:
    """Return the name of a field's files in the store: readable, the same everywhere, and no two alike.

    Examples
    --------
    >>> part_name("plate 1/A01 f1")
    'plate_1_A01_f1-6d84fa35'
    """
    return f"{re.sub(r'[^A-Za-z0-9]+', '_', field_id)[:60]}-{hashlib.sha256(field_id.encode()).hexdigest()[:8]}"


def _read_one(file: str, channels: tuple[str, ...] | None, options: dict[str, Any]) -> Fields:
    try:
        return read_fields([file], errors="raise", channels=channels, **options)
    except ValueError as error:
        # Said of one file among many: here it is the only one, and the others go on in any case.
        said = re.sub(r"^1 problem among 1 file: | With errors='warn' .*$", "", str(error))
        raise ValueError(said) from error


def _array(item: Item) -> np.ndarray:
    return np.asarray(item() if callable(item) else item)


def _of_fields(fields: Fields) -> Listed:
    masks, parts = fields.masks, fields.compartments
    sources: list[Source] = [
        FieldSource(
            str(name),
            fields.images._items[i],
            None if masks is None else masks._items[i],
            {k: stack._items[i] for k, stack in parts.items()},
            fields.channels,
            fields.pixel_size_um,
        )
        for i, name in enumerate(fields.ids)
    ]
    history = [dict(step) for step in fields.history]
    return Listed(sources, fields.obs, fields.design, history, list(fields.problems), masks is not None, {})


def _of_files(paths: Paths, read: dict[str, Any]) -> Listed:
    refused = [name for name in ("pattern", "errors", "keep_mb") if name in read]
    if refused or read.get("frame") == "all":
        raise ValueError(
            f"read has {some(refused or ['frame=all'])}, which files are not listed by here. List the fields first and "
            "hand them over: ms.io.read_fields(…, keep_mb=0)."
        )
    roles = {role: read.pop(role) for role in ROLES if role in read}
    if isinstance(read.get("masks"), str | Path):
        read["masks"] = os.path.abspath(read["masks"])  # workers may stand in another folder
    metadata, on, channels = read.pop("metadata", None), read.pop("on", None), read.pop("channels", None)
    groups, problems = _grouped(paths, channels)
    files = [group[0] for group in groups.values()]
    obs = pd.DataFrame({"file": [str(f) for f in files]}, index=pd.Index(list(groups), dtype=object, name="field_id"))
    if metadata is not None:
        table, unmatched = file_tables.join_table(list(groups), files, file_tables.read_table(metadata), on)
        obs, problems = obs.loc[table.index].join(table, rsuffix="_table"), [*problems, *unmatched]
    obs = identified(obs, "field_id")
    named = None if channels is None else tuple([channels] if isinstance(channels, str) else channels)
    sources: list[Source] = [
        FileSource(str(name), tuple(str(Path(f).resolve()) for f in groups[name]), named, read) for name in obs.index
    ]
    if not sources:
        raise ValueError("No file has a row in the table. Compare the names, or name the column with read={'on': …}.")
    told = {"metadata": str(metadata)} if isinstance(metadata, str | Path) else {}
    history = [{"step": "read_fields", "n": len(sources), **told, **{k: str(v) for k, v in read.items()}}]
    return Listed(sources, obs, declare(obs, **roles), history, problems, read.get("masks") is not None, _plain(read))


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(options, default=str, sort_keys=True))
    return plain


def _grouped(paths: Paths, channels: Any) -> tuple[dict[str, Sequence[Path]], list[dict[str, str]]]:
    if isinstance(channels, Mapping):
        if not isinstance(paths, str | Path) or not Path(paths).is_dir():
            raise ValueError(f"With one file a channel, fields is the folder of the files, found {paths!r}.")
        groups, problems = listing.by_channel(paths, channels)
        return dict(groups), problems
    files: Iterable[Path] = listing.list_files(paths)
    return {n: [f] for n, f in zip(listing.unique_names(files), files, strict=True)}, []
