"""From committed figures to one table, docs/claims.md: what was claimed, beside what, by how much, measured where.

    .venv/bin/python studies/_claims.py          prints the table and renews the page

The claims are listed in studies/claims.toml.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import median
from typing import Any, Literal

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "claims.md"
LIST = ROOT / "studies" / "claims.toml"
NONE = "–"
HOW = ("difference", "times", "times less")
ENDS = (("low", "high"), ("least", "most"), ("min", "max"))


@dataclass(frozen=True)
class Claim:
    """A row of the table; what each part means stands at the head of claims.toml."""

    key: str
    text: str
    where: str
    ours: str
    theirs: str = ""
    peer: str = ""
    between: str = ""
    better: Literal["higher", "lower"] = "higher"
    wanted: str = ""


def claims() -> list[Claim]:
    """All claims, in the order of the list."""
    return [Claim(**parts) for parts in tomllib.loads(LIST.read_text(encoding="utf-8"))["claim"]]


@dataclass(frozen=True)
class Figure:
    """A measured figure: its middle, its ends, each value where they are known, and what they are spread over."""

    middle: float
    low: float | None = None
    high: float | None = None
    each: tuple[float, ...] = ()
    text: str = ""

    def __str__(self) -> str:
        spread = self.low is not None and self.high is not None and (self.low, self.high) != (self.middle,) * 2
        return self.text or (f"{short(self.middle)} ({ends(self.low, self.high)})" if spread else short(self.middle))


def short(value: float) -> str:
    """Three digits that count."""
    if value == 0:
        return "0"
    digits = ",.0f" if abs(value) >= 100 else ".3g" if abs(value) >= 0.0005 else ".5f"
    return format(value, digits).replace("-", "−")


def ends(low: float | None, high: float | None) -> str:
    return f"{short(low or 0)} to {short(high or 0)}"


def load(where: str) -> dict[str, Any] | None:
    """A file of figures; None where there is none."""
    folder, name = where.split("/")
    path = ROOT / folder / "results" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def found(figures: Any, keys: str) -> list[Any]:
    """All that keys lead to, in the order of the file."""
    at = [figures]
    for key in keys.split(" > "):
        steps = [(name, below) for branch in at if isinstance(branch, Mapping) for name, below in branch.items()]
        at = [below for name, below in steps if (fnmatchcase(name, key) if "*" in key else name == key)]
    return at


def figure(figures: Mapping[str, Any], keys: str) -> Figure:
    """The figure that keys lead to.

    Raises
    ------
    KeyError
        They lead nowhere.
    """
    values = found(figures, keys)
    if not values:
        raise KeyError(f"No figure at {keys!r}")
    read = [one(value) for value in values]
    if len(read) == 1:
        return read[0]
    return several([part.middle for part in read])


def several(values: list[float]) -> Figure:
    if len(values) == 1:
        return Figure(values[0], each=tuple(values))
    return Figure(median(values), min(values), max(values), tuple(values))


def one(value: Any) -> Figure:
    """A figure as studies write it: a number, a list, a mean with ends, or a text with a number in it."""
    if isinstance(value, Mapping):
        if "each" in value and len(value["each"]) > 1:
            return several(value["each"])
        names = next((n for n in ENDS if n[0] in value), ENDS[0])
        interval = value.get("95 % interval", [value.get(name) for name in names])
        low, high = interval if isinstance(interval, list) else (None, None)
        return Figure(value["mean"] if "mean" in value else value["median"], low, high)
    if isinstance(value, list):
        return several([float(v) for v in value])
    if isinstance(value, str):
        return spoken(value)
    return Figure(float(value))


def spoken(text: str) -> Figure:
    """A figure in words: "0.91 ± 0.02", "9 of 10 seeds", "611 (100.0 %)", "0.02 (95 % interval …: -0.04 to 0.08)"."""
    numbers = [float(n.replace("−", "-").replace(",", "")) for n in re.findall(r"[-−]?\d+(?:[.,]\d+)*", text)]
    if match := re.match(r"(\d+) of (\d+)", text):
        return Figure(int(match[1]) / int(match[2]), text=text)
    if "interval" in text:
        return Figure(numbers[0], numbers[-2], numbers[-1])
    if "±" in text:
        return Figure(numbers[0], numbers[0] - numbers[1], numbers[0] + numbers[1])
    return Figure(numbers[0], text=text)


def compared(claim: Claim, figures: Mapping[str, Any], ours: Figure, theirs: Figure | None) -> Figure | None:
    """The two beside each other: in pairs where both have the same seeds or rounds."""
    if claim.between not in ("", *HOW):
        return figure(figures, claim.between)
    if theirs is None or claim.between == "":
        return None
    if len(ours.each) == len(theirs.each) and ours.each:
        return several([beside(claim.between, a, b) for a, b in zip(ours.each, theirs.each, strict=True)])
    return Figure(beside(claim.between, ours.middle, theirs.middle))


def beside(how: str, ours: float, theirs: float) -> float:
    return ours - theirs if how == "difference" else ours / theirs if how == "times" else theirs / ours


def verdict(claim: Claim, between: Figure) -> str:
    """Ahead, behind, or even: where the spread reaches over both sides nothing is decided."""
    even = 1.0 if claim.between.startswith("times") else 0.0
    up = claim.better == "higher" if claim.between != "times less" else True
    low, high = (v if v is not None else between.middle for v in (between.low, between.high))
    if low <= even <= high:
        return "even"
    word = "ahead" if (low > even) == up else "behind"
    return word if between.low is not None else f"{word}, no spread"


def missing(claim: Claim, entry: Mapping[str, Any]) -> list[str]:
    """Keys of a claim that lead nowhere: the file is older than the claim."""
    recorded = [claim.between] if claim.between not in ("", *HOW) else []
    return [keys for keys in (claim.ours, claim.theirs, *recorded) if keys and not found(entry["figures"], keys)]


def row(claim: Claim) -> list[str]:
    """The cells of a row."""
    entry = load(claim.where)
    name = f"**{claim.key}**: {claim.text}"
    if entry is None or missing(claim, entry):
        words = re.sub(r" ?\{[^}]+\}", "", claim.peer)
        return [name, "not measured", words or NONE, NONE, claim.wanted or NONE, claim.where, NONE]
    figures = entry["figures"]
    ours, theirs = figure(figures, claim.ours), figure(figures, claim.theirs) if claim.theirs else None
    between = compared(claim, figures, ours, theirs)
    who = peer(claim.peer, entry)
    sign = "× " if claim.between.startswith("times") else ""
    difference = NONE if between is None else f"{sign}{between}, {verdict(claim, between)}"
    wanted = judged(claim.wanted, ours, between)
    beside_it = f"{theirs} · {who}" if theirs else who or NONE
    return [name, str(ours), beside_it, difference, wanted, claim.where, stamp(entry)]


def judged(wanted: str, ours: Figure, between: Figure | None) -> str:
    """What was wanted, and whether it is so."""
    if not wanted:
        return NONE
    *of, sign, limit = wanted.split(" ")
    judged = between if between is not None and not of else ours
    value = judged.low if "least" in of and judged.low is not None else judged.middle
    met = value >= float(limit) if sign == ">=" else value <= float(limit)
    words = "".join({"mlscope": "mlscope ", "least": "the least "}[word] for word in of)
    return f"{words}{'≥' if sign == '>=' else '≤'} {short(float(limit))}: {'met' if met else 'not met'}"


def peer(words: str, entry: Mapping[str, Any]) -> str:
    """The name of a peer with its version, where that was recorded."""
    versions = {**entry["versions"], **entry["figures"].get("peers", {})}

    def version(match: re.Match[str]) -> str:
        at = found(entry["figures"], match[1])
        return str(versions.get(match[1], at[0] if at else "(version not recorded)"))

    return re.sub(r"\{([^}]+)\}", version, words)


def stamp(entry: Mapping[str, Any]) -> str:
    commit = entry["commit"][:9] + ("*" if entry["uncommitted_changes"] else "")
    return f"{commit}, {entry['date'][:10]}, {entry['machine']['cores']} cores"


HEAD = ("claim", "mlscope", "beside", "difference", "wanted", "measured by", "commit, date, machine")
ABOUT = """# Claims, and what was measured

Each claim about speed or quality, and what stands beside it, measured in one run. Written from the files in
`benchmarks/results` and `studies/results` by `make bench` and `make study`; do not edit. `make bench ARGS=--table`
prints it. The peers' environment is made by `make peers`.

- **mlscope**, **beside**: the middle; in brackets the least and the most over seeds or rounds, or the 95 % interval of
  a mean.
- **difference**: mlscope less the other, of the same seeds where there are several; ×: how many times as much, or as
  fast. *even*: nothing lies within the spread. Where there is no spread it decides little.
- **wanted**, set before it was measured, is of the difference, or of mlscope's figure where that is said or there is
  none.
- A commit with * had changes that were not committed. Other work ran on the machine, which seconds of the processor
  feel less.
"""


def table(folder: str | None = None) -> list[str]:
    """Lines of the Markdown table; of one folder or of all."""
    rows = [row(claim) for claim in claims() if folder in (None, claim.where.split("/")[0])]
    lines = [HEAD, ("---",) * len(HEAD), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def page() -> str:
    """The page of the site."""
    parts = [ABOUT]
    for folder, title in (("benchmarks", "Seconds and megabytes"), ("studies", "Quality")):
        parts.append(f"## {title}\n\n" + "\n".join(table(folder)) + "\n")
    return "\n".join([*parts, "## Machines and versions\n", *circumstances()]) + "\n"


def circumstances() -> list[str]:
    """Machines and versions of the files that the claims come from, each once."""
    entries = [entry for where in dict.fromkeys(claim.where for claim in claims()) if (entry := load(where))]
    lines = []
    for entry in entries:
        machine, versions = entry["machine"], {"Python": entry["python"], **entry["versions"]}
        words = f"- {machine['system']}, {machine['cores']} cores, {machine['memory_gb']:g} GB: "
        lines.append(words + ", ".join(f"{name} {version}" for name, version in versions.items()))
    return list(dict.fromkeys(lines))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from studies._record import write_atomically

    print("\n".join(table()))
    write_atomically(PAGE, page())
