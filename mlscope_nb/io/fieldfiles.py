"""The files of one field: one or one for each channel, of several planes or times, and how they become one image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlscope_nb._words import count, some
from mlscope_nb.io.listing import Problem, natural
from mlscope_nb.io.naming import NamePattern
from mlscope_nb.io.pixels import Picture, read_header, read_image
from mlscope_nb.io.stacks import n_frames, project

# What tells files of one field apart; all other parts of a name say which field it is.
WITHIN = ("channel", "z", "time")


@dataclass(frozen=True)
class FieldFiles:
    """Where one field lies.

    Parameters
    ----------
    channels : tuple of tuples of paths
        For each channel the files of its planes; one file alone may hold several channels.
    parts : dict
        What is known of the field from the names: plate, well, site, …
    frame : int or None
        The frame inside of the files.
    projection : str or None
        How planes become one.
    """

    channels: tuple[tuple[Path, ...], ...]
    parts: Mapping[str, Any] = field(default_factory=dict)
    frame: int | None = None
    projection: str | None = None

    @property
    def first(self) -> Path:
        """The file that stands for the field in tables and messages."""
        return self.channels[0][0]

    def read(self) -> Picture:
        """Read the field as (C, Y, X).

        Raises
        ------
        ValueError, OSError
            A file is bad, or the channels are not alike; the message names the file where there are several.
        """
        if len(self.channels) == 1 and len(self.channels[0]) == 1:
            return self._image(self.first)
        parts = [self._channel(files) for files in self.channels]
        first = parts[0].pixels
        for files, part in zip(self.channels, parts, strict=True):
            if len(part.pixels) != 1 and len(self.channels) > 1:
                raise ValueError(f"{files[0].name} has {len(part.pixels)} channels, expected one file for each channel")
            if part.pixels.shape[1:] != first.shape[1:] or part.pixels.dtype != first.dtype:
                raise ValueError(
                    f"{files[0].name} is {part.pixels.shape[1:]} {part.pixels.dtype}, "
                    f"{self.first.name} is {first.shape[1:]} {first.dtype}; channels of a field must be alike"
                )
        remarks = tuple(dict.fromkeys(r for p in parts for r in p.remarks))
        return Picture(np.concatenate([p.pixels for p in parts]), None, parts[0].pixel_size_um, remarks)

    def _channel(self, files: Sequence[Path]) -> Picture:
        """Read one channel, planes of several files made one."""
        planes = [self._named(file) for file in files]
        if len(planes) == 1:
            return planes[0]
        odd = [f.name for f, p in zip(files, planes, strict=True) if p.pixels.shape != planes[0].pixels.shape]
        if odd:
            raise ValueError(f"planes of one field differ in size: {some(odd)} from {files[0].name}")
        return replace(planes[0], pixels=project(np.stack([p.pixels for p in planes]), 0, self.projection))

    def _named(self, file: Path) -> Picture:
        try:
            return self._image(file)
        except (ValueError, OSError) as error:
            raise ValueError(f"{file.name} {error}") from error

    def _image(self, file: Path) -> Picture:
        return read_image(file, projection=self.projection, frame=self.frame)


def by_name(
    files: Iterable[Path],
    pattern: NamePattern,
    channels: Sequence[str] | Mapping[str, str] | None,
    projection: str | None,
    frame: object,
) -> tuple[dict[str, FieldFiles], list[str] | None, list[Problem]]:
    """Put files together by what their names say.

    Parameters
    ----------
    files : paths
    pattern : NamePattern
    channels : list of str, or dict, optional
        Names of all channels in the order of the names' own (sorted), or ``{"DNA": "1"}``: name → what stands in the
        file names, which also chooses.
    projection, frame
        How several planes become one; which of several times.

    Returns
    -------
    Files of each field, names of the channels (None where names do not speak of channels), and what was left out.

    Raises
    ------
    ValueError
        No name fits; the names hold planes or times and nobody chose; `channels` do not fit.
    """
    found = {file: pattern.match(file) for file in files}
    problems: list[Problem] = [
        {"file": str(f), "problem": f"its name does not fit the pattern '{pattern.shown}'"}
        for f, parts in found.items()
        if parts is None
    ]
    named = {file: parts for file, parts in found.items() if parts is not None}
    if not named:
        raise ValueError(
            f"None of {count(len(found), 'name')} fits the pattern '{pattern.shown}', for example "
            f"{some([f.name for f in found], 3)}. See ms.io.recognise(folder)."
        )
    named = with_folders(named)
    wanted, names = choose_channels(named.values(), channels)
    sets, more = _sets(named, wanted, projection, frame)
    return dict(sorted(sets.items(), key=lambda item: natural(item[0]))), names, problems + more


def with_folders(named: dict[Path, dict[str, str]]) -> dict[Path, dict[str, str]]:
    """Take folders that differ for plates where the names hold none; time and plane may be folders, too."""
    parents = {file: file.parent.parts for file in named}
    common = min((len(p) for p in parents.values()), default=0)
    shared = next((i for i in range(common) if len({p[i] for p in parents.values()}) > 1), common)
    result = {}
    for file, parts in named.items():
        folders = list(parents[file][shared:])
        extra = {}
        for key, prefix in (("time", "timepoint_"), ("z", "zstep_")):
            hit = [f for f in folders if f.lower().startswith(prefix)]
            if hit:
                folders.remove(hit[0])
                extra[key] = hit[0][len(prefix) :]
        folders = [f for f in folders if f.lower() != "images"]
        if folders and "plate" not in parts:
            extra["plate"] = "/".join(folders)
        result[file] = {**extra, **parts}
    return result


def choose_channels(
    named: Iterable[Mapping[str, str]], channels: Sequence[str] | Mapping[str, str] | None
) -> tuple[list[str | None], list[str] | None]:
    """Return the channels as they stand in file names, and what to call them.

    Raises
    ------
    ValueError
        A channel is wanted that no name holds, or the number of names differs.
    """
    have = sorted({parts["channel"] for parts in named if "channel" in parts}, key=natural)
    if isinstance(channels, Mapping):
        missing = [f"{name}: {value}" for name, value in channels.items() if str(value) not in have]
        if missing:
            raise ValueError(f"No file name holds the channel {some(missing)}. The names hold: {some(have, 20)}.")
        return [str(value) for value in channels.values()], list(map(str, channels))
    given = [channels] if isinstance(channels, str) else channels
    if not have:
        return [None], None if given is None else list(given)
    if given is not None and len(given) != len(have):
        raise ValueError(
            f"{count(len(given), 'channel name')} for {count(len(have), 'channel')} in the file names "
            f"({some(have, 20)}). Choose with channels={{'name': '{have[0]}', …}}."
        )
    return list(have), list(given) if given is not None else [f"ch{h}" if h.isdigit() else h for h in have]


def field_name(parts: Mapping[str, str]) -> str:
    """Name a field by all that does not tell its files apart: ``plate1_A01_2``.

    Examples
    --------
    >>> field_name({"site": "2", "well": "A01", "plate": "p1", "channel": "1"})
    'p1_A01_2'
    """
    first = ("plate", "well", "field", "site")
    rest = [k for k in parts if k not in (*first, *WITHIN, "x", "y")]
    return "_".join(parts[k] for k in (*first[:1], *rest, *first[1:]) if k in parts) or "field"


def _sets(
    named: Mapping[Path, Mapping[str, str]], wanted: Sequence[str | None], projection: str | None, frame: object
) -> tuple[dict[str, FieldFiles], list[Problem]]:
    tree: dict[str, dict[str, dict[str | None, dict[str, Path]]]] = {}
    about: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for file, parts in named.items():
        name = field_name(parts)
        about.setdefault(name, {k: v for k, v in parts.items() if k not in WITHIN})
        times = tree.setdefault(name, {}).setdefault(parts.get("time", ""), {})
        planes = times.setdefault(parts.get("channel"), {})
        if parts.get("z", "") in planes:
            other = planes[parts.get("z", "")].name
            problems.append(
                {"file": str(file), "problem": f"says the same of itself as {other}; one of them is left out"}
            )
        planes.setdefault(parts.get("z", ""), file)
    _check_planes(tree, projection)
    inner = int(frame) if isinstance(frame, int | np.integer) and max(map(len, tree.values())) == 1 else None
    sets = {}
    for name, times in _chosen_times(tree, about, frame).items():
        channels = [times.get(c, {}) for c in wanted]
        lacking = [str(c) for c, planes in zip(wanted, channels, strict=True) if not planes]
        if lacking:
            example = next(iter(next(iter(times.values())).values()))
            problems.append({"file": str(example), "problem": f"no file for channel {some(lacking)}"})
            continue
        files = tuple(tuple(planes[z] for z in sorted(planes, key=natural)) for planes in channels)
        sets[name] = FieldFiles(files, about[name], inner, projection)
    return sets, problems


def _check_planes(tree: Mapping[str, Any], projection: str | None) -> None:
    deep = max(len(planes) for times in tree.values() for channels in times.values() for planes in channels.values())
    if deep > 1 and projection is None:
        raise ValueError(
            f"The file names hold {deep} planes of a field (z): choose projection='max', 'mean', 'sum' or 'middle'."
        )


def _chosen_times(
    tree: Mapping[str, dict[str, Any]], about: dict[str, dict[str, Any]], frame: object
) -> dict[str, dict[str | None, dict[str, Path]]]:
    """Choose one time of each field, or make each time a field of its own with the column ``movie``."""
    longest = max(map(len, tree.values()))
    if longest > 1 and frame is None:
        raise ValueError(
            f"The file names hold {longest} times of a field: choose one with frame=0 … {longest - 1}, "
            "or all with frame='all'."
        )
    chosen: dict[str, dict[str | None, dict[str, Path]]] = {}
    for name, times in tree.items():
        order = sorted(times, key=natural)
        if frame == "all" and longest > 1:
            for i, time in enumerate(order):
                chosen[f"{name}_t{i:03d}"] = times[time]
                about[f"{name}_t{i:03d}"] = {**about[name], "movie": name, "frame": i, "time": time}
        elif isinstance(frame, int | np.integer) and longest > 1:
            if int(frame) < len(order):
                chosen[name] = times[order[int(frame)]]
                about[name] = {**about[name], "frame": int(frame), "time": order[int(frame)]}
        else:
            chosen[name] = times[order[0]]
    if not chosen:
        raise ValueError(f"There is no frame {frame}: the file names hold {longest} times, from 0 on.")
    return chosen


def all_frames(name: str, files: FieldFiles) -> dict[str, FieldFiles]:
    """Make each frame of a movie in one file a field of its own.

    Raises
    ------
    ValueError, OSError
        The file is bad.
    """
    header = read_header(files.first)
    n = n_frames(header.axes, header.shape, files.projection)
    return {
        f"{name}_t{i:03d}": replace(files, frame=i, parts={**files.parts, "movie": name, "frame": i}) for i in range(n)
    }
