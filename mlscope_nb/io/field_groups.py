"""Which files make which field of view, by channel, by pattern or one each, and which masks are theirs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlscope_nb.io import listing, mask_files
from mlscope_nb.io.fieldfiles import FieldFiles, all_frames, by_name
from mlscope_nb.io.listing import Paths, Problem
from mlscope_nb.io.naming import NamePattern, find_pattern


def field_groups(
    images: Paths,
    channels: Sequence[str] | Mapping[str, str] | None,
    masks: Paths | None,
    pattern: str | None,
    projection: str | None,
    frame: object,
) -> tuple[dict[str, FieldFiles], dict[str, Path], list[Problem], list[str] | None]:
    """Say which files make which field, which mask is whose, and what the names say of channels."""
    if pattern is not None:
        return _by_pattern(images, channels, masks, find_pattern(pattern), projection, frame)
    one = int(frame) if isinstance(frame, int) else None
    if isinstance(channels, Mapping):
        if not isinstance(images, str | Path) or not Path(images).is_dir():
            raise ValueError(f"With one file a channel, images is the folder of the files, found {images!r}.")
        by_channel, problems = listing.by_channel(images, channels)
        groups = {n: FieldFiles(tuple((f,) for f in files), {}, one, projection) for n, files in by_channel.items()}
        return groups, _masks_by_name(groups, masks), problems, list(channels)
    files = listing.list_files(images)
    found: list[Path] = []
    if masks is not None:
        files, found = mask_files.without_masks(files, masks)
    named = dict(zip(listing.unique_names(files), files, strict=True))
    groups = {name: FieldFiles(((file,),), {}, one, projection) for name, file in named.items()}
    return groups, mask_files.match_masks(named, found), [], None


def _by_pattern(
    images: Paths,
    channels: Sequence[str] | Mapping[str, str] | None,
    masks: Paths | None,
    pattern: NamePattern,
    projection: str | None,
    frame: object,
) -> tuple[dict[str, FieldFiles], dict[str, Path], list[Problem], list[str] | None]:
    files = [f for f in listing.list_files(images) if not listing.is_thumbnail(f)]
    if masks is not None:
        files, _ = mask_files.without_masks(files, masks)
    groups, names, problems = by_name(files, pattern, channels, projection, frame)
    return groups, _masks_by_name(groups, masks), problems, names


def _masks_by_name(groups: Mapping[str, FieldFiles], masks: Paths | None) -> dict[str, Path]:
    """Find masks named as the field, as its first file, or as what the names of its channels share."""
    if masks is None:
        return {}
    known = {f.resolve() for g in groups.values() for files in g.channels for f in files}
    found = [p for p in listing.list_files(masks, listing.LABEL_EXTENSIONS) if p.resolve() not in known]
    by_name = {name: g.first.with_name(name) for name, g in groups.items()}
    shared = {name: _shared_name(g) for name, g in groups.items()}
    return {
        **mask_files.match_masks({n: groups[n].first.with_name(stem) for n, stem in shared.items() if stem}, found),
        **mask_files.match_masks({n: g.first for n, g in groups.items()}, found),
        **mask_files.match_masks(by_name, found),
    }


def _shared_name(files: FieldFiles) -> str:
    """Return what the names of all channels begin with, up to the last sign between words: P1-A01 of P1-A01_DNA, …"""
    stems = [listing.plain_stem(file) for channel in files.channels for file in channel]
    if len(stems) < 2:
        return ""
    first, last = min(stems), max(stems)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return re.sub(r"[_\-. ]+[^_\-. ]*$", "", first[:same])


def every_frame(
    groups: Mapping[str, FieldFiles], masks: Mapping[str, Path]
) -> tuple[dict[str, FieldFiles], dict[str, Path], list[Problem]]:
    """Make every frame a field; names that hold times have done so already. Masks are the movie's."""
    frames: dict[str, FieldFiles] = {}
    own: dict[str, Path] = {}
    problems: list[Problem] = []
    for name, files in groups.items():
        try:
            more = {name: files} if "movie" in files.parts else all_frames(name, files)
        except (ValueError, OSError) as error:
            problems.append({"file": str(files.first), "problem": str(error)})
            continue
        frames |= more
        own |= {n: masks[name] for n in more if name in masks}
    return frames, own, problems
