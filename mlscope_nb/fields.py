"""Fields: whole images as the microscope took them, one row each, sizes may differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, overload

import numpy as np
import pandas as pd

from mlscope_nb import _align
from mlscope_nb._design import Columns, declare
from mlscope_nb._observed import Observed
from mlscope_nb._words import some

Reader = Callable[[], np.ndarray]


class Stack(Sequence[np.ndarray]):
    """Arrays of different sizes, in memory or read when asked for.

    Parameters
    ----------
    items : sequence of arrays, or of functions that read one
    shapes : sequence of shapes
        One shape for each item, known without reading.
    """

    def __init__(self, items: Sequence[np.ndarray | Reader], shapes: Sequence[tuple[int, ...]]) -> None:
        self._items, self.shapes = tuple(items), tuple(tuple(s) for s in shapes)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, i: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, i: slice) -> Stack: ...
    def __getitem__(self, i: int | slice) -> np.ndarray | Stack:
        if isinstance(i, slice):
            return Stack(self._items[i], self.shapes[i])
        item = self._items[i]
        array: np.ndarray = _align.read_only(item() if callable(item) else item)
        return array

    @property
    def in_memory(self) -> bool:
        """Whether looking at all of them reads nothing."""
        return not any(callable(item) for item in self._items)

    def take(self, rows: Sequence[int] | np.ndarray) -> Stack:
        """Return the items at these positions."""
        return Stack([self._items[r] for r in rows], [self.shapes[r] for r in rows])


class Fields(Observed):
    """Whole fields of view: images, label masks and what is known about each.

    Parameters
    ----------
    obs : DataFrame
        One row per field; the index (or a column ``field_id``) holds unique ids.
    images : sequence of arrays (C, Y, X)
        One per field; (Y, X) is taken as one channel. Y and X may differ between fields, C may not.
    masks : sequence of integer arrays (Y, X), optional
        0 background, 1 … n the objects of that field.
    compartments : dict of sequences of integer arrays (Y, X), optional
        Parts by name ("nucleus"), numbered as the objects they belong to.
    channels, pixel_size_um, label, unit, batch, control, treatment
        As in `Cells`.

    Raises
    ------
    ValueError, KeyError, TypeError
        Something does not fit, with the fields or columns named.

    Examples
    --------
    >>> fields = Fields(pd.DataFrame({"plate": ["p1"]}, index=["f1"]), [np.zeros((2, 9, 12), "uint16")])
    >>> len(fields), fields.channels
    (1, ('channel0', 'channel1'))
    """

    __slots__ = (
        "_history", "_obs", "channels", "compartments", "design", "images", "masks", "pixel_size_um", "problems",
    )  # fmt: skip
    _instead: ClassVar[str] = "with_images or with_masks"

    channels: tuple[str, ...]
    compartments: Mapping[str, Stack]
    images: Stack
    masks: Stack | None
    pixel_size_um: float | None
    problems: tuple[dict[str, str], ...]

    def __init__(
        self,
        obs: pd.DataFrame,
        images: Sequence[np.ndarray] | Stack,
        masks: Sequence[np.ndarray] | Stack | None = None,
        *,
        compartments: Mapping[str, Sequence[np.ndarray] | Stack] | None = None,
        channels: Sequence[str] | None = None,
        pixel_size_um: float | None = None,
        label: str | None = None,
        unit: Columns = None,
        batch: Columns = None,
        control: str | Mapping[str, Any] | None = None,
        treatment: str | None = None,
        history: Sequence[Mapping[str, Any]] = (),
        problems: Sequence[Mapping[str, str]] = (),
    ) -> None:
        table = _align.identified(obs, "field_id")
        stack = _images(images, table.index)
        n_channels = stack.shapes[0][0] if len(stack) else None
        self._fill(
            _obs=table,
            images=stack,
            masks=None if masks is None else _masks(masks, stack, table.index, "mask"),
            compartments={
                k: _masks(v, stack, table.index, f"compartment '{k}'") for k, v in (compartments or {}).items()
            },
            channels=_align.channel_names(channels, n_channels),
            pixel_size_um=_align.pixel_size(pixel_size_um),
            design=declare(table, label=label, unit=unit, batch=batch, control=control, treatment=treatment),
            _history=history,
            problems=tuple(dict(p) for p in problems),
        )

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield (field_id, image) one at a time."""
        yield from zip(self._obs.index, self.images, strict=True)

    def channel(self, name: str | int) -> int:
        """Return the position of a channel given by name or number."""
        if isinstance(name, int | np.integer) and 0 <= name < len(self.channels):
            return int(name)
        if name not in self.channels:
            raise KeyError(f"No channel '{name}'. Channels: {some(self.channels, 20)}.")
        return self.channels.index(str(name))

    def subset(self, ids: Any) -> Fields:
        """Return the fields with these ids in this order (or where a boolean Series is True)."""
        rows = _align.positions(ids, self.ids)
        return self._copy(
            _obs=self._obs.iloc[rows],
            images=self.images.take(rows),
            masks=None if self.masks is None else self.masks.take(rows),
            compartments={k: v.take(rows) for k, v in self.compartments.items()},
            _history=self._after("subset", n=len(rows), n_before=len(self)),
        )

    def with_images(self, images: Sequence[np.ndarray] | Stack, *, step: Mapping[str, Any] | None = None) -> Fields:
        """Return the fields with other images of the same sizes (corrected, denoised)."""
        stack = _images(images, self.ids)
        changed = [i for i, a, b in zip(self.ids, stack.shapes, self.images.shapes, strict=True) if a[1:] != b[1:]]
        if changed and (self.masks is not None or self.compartments):
            raise ValueError(
                f"New images of another size than the masks: {some(changed)}. Segment again after resizing."
            )
        names = self.channels if not len(stack) or stack.shapes[0][0] == len(self.channels) else None
        channels = _align.channel_names(names, stack.shapes[0][0] if len(stack) else None)
        return self._copy(images=stack, channels=channels, _history=(*self._history, step or {"step": "with_images"}))

    def with_masks(
        self,
        masks: Sequence[np.ndarray] | Stack,
        compartments: Mapping[str, Sequence[np.ndarray] | Stack] | None = None,
        *,
        step: Mapping[str, Any] | None = None,
    ) -> Fields:
        """Return the fields with label masks (Y, X), one per field; compartments of old masks are dropped."""
        return self._copy(
            masks=_masks(masks, self.images, self.ids, "mask"),
            compartments={
                k: _masks(v, self.images, self.ids, f"compartment '{k}'") for k, v in (compartments or {}).items()
            },
            _history=(*self._history, step or {"step": "with_masks"}),
        )

    def __repr__(self) -> str:
        from mlscope_nb._summary import describe_fields

        return describe_fields(self)

    def _repr_html_(self) -> str:
        from mlscope_nb._summary import fields_html

        return fields_html(self)


def _images(images: Sequence[np.ndarray] | Stack, ids: pd.Index) -> Stack:
    if len(images) != len(ids):
        raise ValueError(f"{len(images):,} images for {len(ids):,} rows of obs, expected one image per field.")
    if not isinstance(images, Stack):
        arrays = [a[None] if np.ndim(a) == 2 else np.asarray(a) for a in images]
        for name, array in zip(ids, arrays, strict=True):
            if array.dtype.kind not in "uifb":
                raise TypeError(f"Field '{name}' holds {array.dtype}, expected integers or floats.")
            _align.finite(array[None], [name])
        images = Stack(arrays, [a.shape for a in arrays])
    flat = [f"{i} {s}" for i, s in zip(ids, images.shapes, strict=True) if len(s) != 3 or 0 in s]
    if flat:
        raise ValueError(f"Images with other axes than (channels, y, x), or empty: {some(flat)}. Use numpy.moveaxis.")
    counts = {s[0] for s in images.shapes}
    if len(counts) > 1:
        usual = max(counts, key=[s[0] for s in images.shapes].count)
        odd = [f"{i} ({s[0]})" for i, s in zip(ids, images.shapes, strict=True) if s[0] != usual]
        raise ValueError(f"Most fields have {usual} channels, but not {some(odd)}. Leave them out or read them apart.")
    return images


def _is_wide(mask: np.ndarray) -> bool:
    return bool(mask.min() < 0 or mask.max() > np.iinfo(np.int32).max)


def _masks(masks: Sequence[np.ndarray] | Stack, images: Stack, ids: pd.Index, what: str) -> Stack:
    if len(masks) != len(ids):
        raise ValueError(f"{len(masks):,} {what}s for {len(ids):,} fields, expected one per field.")
    if isinstance(masks, Stack):
        shapes: list[tuple[int, ...]] = list(masks.shapes)
    else:
        arrays = [np.asarray(m) for m in masks]
        odd = [f"{i} ({a.dtype})" for i, a in zip(ids, arrays, strict=True) if a.dtype.kind not in "uib"]
        if odd:
            raise TypeError(
                f"{what.capitalize()}s must hold integers (0 background, 1 … n objects), found {some(odd)}."
            )
        wide = [f"{i} ({a.min()} to {a.max()})" for i, a in zip(ids, arrays, strict=True) if a.size and _is_wide(a)]
        if wide:
            raise ValueError(
                f"{what.capitalize()}s must hold 0 … 2,147,483,647, found {some(wide)}. Number the objects 1 … n."
            )
        shapes = [a.shape for a in arrays]
        masks = Stack([a.astype(np.int32, copy=False) for a in arrays], shapes)
    wrong = [
        f"{i}: {m} for an image of {s[1:]}" for i, m, s in zip(ids, shapes, images.shapes, strict=True) if m != s[1:]
    ]
    if wrong:
        raise ValueError(f"{what.capitalize()}s of another size than their images: {some(wrong)}.")
    return masks
