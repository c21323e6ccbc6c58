"""The form of the folder reader: which options there are, what they are now, and what a person wrote as a value."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlscope_nb.io.recognition import Recognition

PLACES = ("plate", "well", "site", "row", "column", "field", "field_id")
COLUMNS = ("unit", "batch", "label", "treatment")
TITLES = {
    "pattern": ("Names of files", "what the names say: plate, well, site, channel"),
    "template": ("Your own pattern", "parts in braces: {plate}_{well}_{channel}.tif; {*} for anything"),
    "projection": ("Stacks become", "one image of all planes"),
    "frame": ("Frame of movies", "a number from 0, or all"),
    "pixel_size_um": ("Pixel size (µm)", "empty: not known"),
    "masks": ("Masks", "a folder or pattern; empty: cells are found later"),
    "metadata": ("Layout (CSV)", "one row for each file or well"),
    "unit": ("Unit", "what was treated by itself: well, donor, animal"),
    "batch": ("Batch", "what was handled together: plate, day, slide"),
    "label": ("Label", "what you want to tell apart"),
    "treatment": ("Treatment", "what was done to the unit"),
}
EACH = "each file is one field"


def form_of(found: Recognition, columns: Sequence[str], values: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return the rows of the form: name, title, hint, what it is now, and what there is to choose from.

    Parameters
    ----------
    found : Recognition
    columns : sequence of str
        Columns that a field or cell has, or will have.
    values : mapping
        Values of a column, as far as they are known: what a control can be.
    """
    rows = [_row(found, name) for name in ("pattern", "template", "projection", "frame") if _makes_sense(found, name)]
    rows += [_row(found, name) for name in ("pixel_size_um", "masks", "metadata") if name in found.choices]
    if columns:
        rows += [_choice(name, found.options.get(name), _columns(columns, name)) for name in COLUMNS]
        rows.append(_control(found.options.get("control"), columns, values))
    return rows


def channel_rows(found: Recognition) -> list[dict[str, str]]:
    """Return one row for each channel: what it is called in the files, and what it is to be called."""
    if "channels" not in found.choices:
        return []
    own, now = _own_channels(found), found.options.get("channels")
    names = list(own)
    if isinstance(now, Mapping):
        renamed = {str(v): str(k) for k, v in now.items()}
        names = [renamed.get(key, key) for key in own]
    elif isinstance(now, list | tuple) and len(now) == len(own):
        names = list(map(str, now))
    return [{"key": key, "name": name} for key, name in zip(own, names, strict=True)]


def channels_of(found: Recognition, names: Sequence[str]) -> Any:
    """Return the option `channels` for these names; None where they are those of the files.

    Raises
    ------
    ValueError
        A name is empty or there twice.
    """
    own, given = _own_channels(found), [name.strip() for name in names]
    if not all(given) or len(set(given)) < len(given):
        raise ValueError("Each channel needs a name of its own.")
    if given == own:
        return None
    return dict(zip(given, own, strict=True)) if found.values("channel") else given


def value_of(name: str, text: Any) -> Any:
    """Return what a person chose or wrote as the value of an option; an empty one takes the option away.

    Raises
    ------
    ValueError
        A pixel size or frame that is no number.

    Examples
    --------
    >>> value_of("pixel_size_um", "0,65"), value_of("unit", '["plate", "well"]'), value_of("masks", " ")
    (0.65, ['plate', 'well'], None)
    """
    if name in (*COLUMNS, "control"):
        return json.loads(text) if text else None
    plain = str(text or "").strip()
    if not plain:
        return None
    if name == "pixel_size_um":
        return _number(plain, "The pixel size")
    if name == "frame" and plain != "all":
        return int(_number(plain, "The frame"))
    return False if name == "pattern" and plain == EACH else plain


def _number(text: str, what: str) -> float:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        raise ValueError(f"{what} is '{text[:40]}', expected a number.") from None
    if not 0 <= number < 1e9:
        raise ValueError(f"{what} is {text[:40]}, expected a number that is not negative.")
    return number


def _own_channels(found: Recognition) -> list[str]:
    """Return what the files call their channels: by name, in their headers, or by number."""
    named = found.values("channel") or [str(c) for c in found.facts.get("channels") or ()]
    axes = found.facts.get("axes") or {}
    n = max(int(axes.get("C", 1)), int(axes.get("S", 1)))
    if not named and found.kind != "images":
        return []
    rgb = n == 3 and found.facts.get("dtypes") == ["uint8"]
    return named or (["red", "green", "blue"] if rgb else [f"channel{i}" for i in range(n)])


def _makes_sense(found: Recognition, name: str) -> bool:
    if name in ("projection", "frame"):
        return name in found.needs or name in found.options
    return "pattern" in found.choices


def _row(found: Recognition, name: str) -> dict[str, Any]:
    now = found.options.get("pattern" if name == "template" else name)
    if name == "pattern":
        presets = [str(p) for p in found.choices["pattern"]]
        listed = [str(now), *presets] if now and now not in presets else presets
        return _menu(name, str(now or EACH), [(p, p) for p in [EACH, *listed]])
    if name == "template":
        return _text(name, str(now) if now and "{" in str(now) else "")
    if name == "projection":
        return _menu(name, str(now or ""), [("", "choose …"), *((str(p), str(p)) for p in found.choices[name])])
    if name == "pixel_size_um" and now is None:
        known = found.facts.get(name)
        return {**_text(name, ""), "placeholder": f"{known:g} (from the files)" if known else "not known"}
    return _text(name, "" if now is None else str(now))


def _columns(columns: Sequence[str], name: str) -> list[tuple[Any, str]]:
    single: list[tuple[Any, str]] = [(c, c) for c in columns if c != "file"]
    if name in ("unit", "batch") and {"plate", "well"} <= set(columns):
        return [(["plate", "well"], "plate and well"), *single]
    return single


def _choice(name: str, now: Any, options: list[tuple[Any, str]]) -> dict[str, Any]:
    now = [*now] if isinstance(now, list | tuple) else now
    values = [value for value, _ in options]
    if now is not None and now not in values:
        shown = " and ".join(map(str, now)) if isinstance(now, list) else str(now)
        options = [(now, shown), *options]
    plain = [("", "not declared"), *((json.dumps(value), text) for value, text in options)]
    return _menu(name, "" if now is None else json.dumps(now), plain)


def _control(now: Any, columns: Sequence[str], values: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return what a control can be: one value of a column with few of them."""
    options: list[tuple[Any, str]] = [
        ({name: value}, f"{name} = {value}")
        for name in columns
        for value in values.get(name, ())
        if isinstance(value, str | bool) and name not in PLACES and len(values[name]) > 1
    ]
    row = _choice("unit", dict(now) if isinstance(now, Mapping) else now, options)
    return {**row, "name": "control", "title": "Control", "hint": "what nothing was done to: the same on every batch"}


def _menu(name: str, now: str, options: Sequence[tuple[str, str]]) -> dict[str, Any]:
    title, hint = TITLES[name]
    listed = [{"value": value, "label": label} for value, label in options]
    return {"name": name, "title": title, "hint": hint, "kind": "menu", "value": now, "options": listed}


def _text(name: str, now: str) -> dict[str, Any]:
    title, hint = TITLES[name]
    return {"name": name, "title": title, "hint": hint, "kind": "text", "value": now}
