"""One table of claims: its keys lead to figures, it says what the files say, and texts quote nothing else."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from studies import _claims, _peers, _record
from studies._claims import Claim, Figure

ROOT = Path(__file__).parents[2]
CLAIMS = {claim.key: claim for claim in _claims.claims()}
PAGES = [ROOT / "README.md", *(p for p in sorted((ROOT / "docs").rglob("*.md")) if p != _claims.PAGE)]
QUOTE = re.compile(r'\[([^\]]+)\]\(([^)\s]*claims\.md) "([^"]+)"\)')
MEASURED = re.compile(r"\d[\d.,]*\s?(?:s|ms|dB|MB|GB)\b|(?<!\d )\d[\d.,]*\s?times\b")
SCORE = re.compile(r"\b(?:AUROC|F1|mAP|accuracy|correlation|recall|precision)\b[^|.]{0,40}\b0\.\d\d")
COLUMNS = {"mlscope": 1, "beside": 2, "difference": 3}
# Limits, settings and sizes that are given and not measured, and what nobody can measure again with one command.
GIVEN = (
    "| First installation |",  # once, by hand: it depends on the line
    "| Size of `.venv` |",
    "2 GB is enough",
    "several GB",
    "2 GB of memory",
    "2 GB for each learner",  # a budget
    "Carry the folder `wheels` over",
    "chunks of about 4 MB",
    "a step took 280 ms",  # why a way was left; no claim
    "Files go up in pieces of 2 MB",
    "messages of more than 10 MB",
    "at most 1.6 MB",
    "EfficientNet-Lite0 (17 MB",
    "more than 500 MB",
    'memory="4 GB"',
    "about 2.7 times smaller",  # arithmetic
)


# Claims that a file of figures is older than: the script measures them, and has not been run since.
PENDING: set[str] = set()


def cells(key):
    return _claims.row(CLAIMS[key])


def test_no_two_claims_have_one_name():
    assert len(CLAIMS) == len(_claims.claims()) > 30


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_the_keys_of_a_claim_lead_to_figures(claim):
    folder, name = claim.where.split("/")
    assert folder in ("benchmarks", "studies")
    assert claim.better in ("higher", "lower")
    assert re.fullmatch(r"((mlscope |least )?[<>]= -?[\d.]+)?", claim.wanted)
    entry = _claims.load(claim.where)
    missing = [] if entry is None else _claims.missing(claim, entry)
    assert bool(missing) == (claim.key in PENDING), f"run {folder}/{name} again: {missing}"


def test_the_page_is_what_the_files_say():
    assert _claims.PAGE.read_text(encoding="utf-8") == _claims.page(), "run: .venv/bin/python studies/_claims.py"


QUOTES = [
    pytest.param(page, said, target, title, id=f"{page.name}: {title}")
    for page in PAGES
    for said, target, title in QUOTE.findall(page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("page", "said", "target", "title"), QUOTES)
def test_a_quoted_figure_is_that_of_its_row(page, said, target, title):
    key, _, column = title.partition(": ")
    folder = page.parent.parent if page.parent.name == "site" else page.parent
    assert (folder / target).resolve() == _claims.PAGE
    found = cells(key)[COLUMNS[column or "mlscope"]]
    assert same(number(said), number(found)), f"{page.name} says {said}, the table {found}"


def number(words):
    """The first number of some words, as text."""
    return re.search(r"[−-]?\d[\d,]*(?:\.\d+)?", words)[0].replace("−", "-").replace(",", "")


def same(said, found):
    """Whether a text rounds a figure rightly, to as many decimals as it names."""
    decimals = len(said.partition(".")[2])
    return round(float(found), decimals) == float(said)


def test_a_rounded_figure_is_told_from_a_wrong_one():
    assert same("18", "17.6") and same("0.96", "0.958")
    assert not same("17", "17.6") and not same("0.95", "0.958")


# A decision is of its day.
TEXTS = [page for page in PAGES if page.parent.name != "decisions"]


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_seconds_megabytes_or_decibels_are_told_that_are_not_of_the_table(page):
    lines = QUOTE.sub("", page.read_text(encoding="utf-8")).splitlines()
    told = [line for line in lines if MEASURED.search(line) and not any(words in line for words in GIVEN)]
    assert told == []


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_score_is_told_that_is_not_of_the_table(page):
    """But in the architecture, which says why a way was taken, and names the study."""
    text = "" if page.name == "architecture.md" else QUOTE.sub("", page.read_text(encoding="utf-8"))
    assert SCORE.findall(text) == []


def test_minutes_of_notebooks_are_not_shorter_than_measured():
    entry = _claims.load("benchmarks/all_notebooks")
    said = dict(re.findall(r"^\| `(\w+)`.*\| (?:under )?(\d+) min \|", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert len(said) == 9
    for name, minutes in said.items() if entry else ():
        assert entry["figures"][name]["run-all, minutes"] <= int(minutes) + 0.5, name


def test_notebooks_name_no_less_memory_than_their_kernels_took():
    entry = _claims.load("benchmarks/all_notebooks")
    sources = sorted((ROOT / "notebooks" / "src").glob("0*.py"))
    assert len(sources) == 9
    for source in sources if entry else ():
        number, unit = re.search(r"Memory: ([\d.]+) (MB|GB)", source.read_text(encoding="utf-8")).groups()
        said = float(number) * (1000 if unit == "GB" else 1)
        assert entry["figures"][source.stem]["peak of kernel, MB"] <= said, source.stem


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, Figure(3.0)),
        ([1.0, 3.0, 2.0], Figure(2.0, 1.0, 3.0, (1.0, 3.0, 2.0))),
        ({"mean": 2.0, "95 % interval": [1.0, 3.0]}, Figure(2.0, 1.0, 3.0)),
        ({"mean": 2.0, "95 % interval": "too few seeds", "each": [2.0]}, Figure(2.0)),
        ({"mean": 2.5, "each": [1.0, 3.0, 4.0]}, Figure(3.0, 1.0, 4.0, (1.0, 3.0, 4.0))),
        ({"median": 2.0, "min": 1.0, "max": 4.0, "runs": 5}, Figure(2.0, 1.0, 4.0)),
        ("9 of 10 seeds", Figure(0.9, text="9 of 10 seeds")),
        ("-0.014 (95 % interval over 5 units: -0.054 to 0.025)", Figure(-0.014, -0.054, 0.025)),
    ],
)
def test_figures_are_read_as_studies_write_them(value, expected):
    assert _claims.one(value) == expected


def test_a_figure_with_a_deviation_has_ends():
    found = _claims.one("0.9 ± 0.2")
    assert (found.middle, found.low, found.high) == pytest.approx((0.9, 0.7, 1.1))


def claim(**parts):
    return Claim("k", "t", "studies/s", "a", "b", "someone", **parts)


@pytest.mark.parametrize(
    ("parts", "figures", "difference", "wanted"),
    [
        ({"between": "difference"}, {"a": [3, 4], "b": [1, 3]}, "1.5 (1 to 2), ahead", "–"),
        ({"between": "difference", "better": "lower"}, {"a": [3, 4], "b": [1, 3]}, "1.5 (1 to 2), behind", "–"),
        ({"between": "difference", "wanted": ">= 1"}, {"a": [3, 1], "b": [1, 3]}, "0 (−2 to 2), even", "≥ 1: not met"),
        ({"between": "times less", "wanted": ">= 2"}, {"a": 2, "b": 6}, "× 3, ahead, no spread", "≥ 2: met"),
        ({"between": "times", "better": "lower"}, {"a": 2, "b": 1}, "× 2, behind, no spread", "–"),
        ({"between": "c", "wanted": "mlscope <= 1"}, {"a": 2, "b": 1, "c": [1, 3]}, "2 (1 to 3), ahead",
         "mlscope ≤ 1: not met"),
        ({"wanted": "least >= 0.9"}, {"a": [0.9, 1.0, 0.8], "b": 1}, "–", "the least ≥ 0.9: not met"),
    ],
)  # fmt: skip
def test_who_is_ahead_and_whether_it_is_enough(monkeypatch, parts, figures, difference, wanted):
    monkeypatch.setattr(_claims, "load", lambda where: {"figures": figures, **_record.circumstances()})
    assert _claims.row(claim(**parts))[3:5] == [difference, wanted]


def test_what_was_not_measured_is_a_row_that_says_so(monkeypatch):
    monkeypatch.setattr(_claims, "load", lambda where: None)
    assert _claims.row(claim(wanted=">= 1"))[1:5] == ["not measured", "someone", "–", ">= 1"]
    older = {"figures": {"a": 1}, **_record.circumstances()}
    monkeypatch.setattr(_claims, "load", lambda where: older)
    assert _claims.row(claim())[1] == "not measured" and _claims.missing(claim(), older) == ["b"]


@pytest.mark.parametrize("folder", ["benchmarks", "studies"])
def test_the_table_is_printed_without_running_anything(folder):
    command = [sys.executable, "tools/run_scripts.py", folder, "--table"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.splitlines() == _claims.table(folder)


def test_a_script_that_needs_peers_is_left_out_where_there_are_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MLSCOPE_PEERS", str(tmp_path / "no python"))
    with pytest.raises(SystemExit) as ended:
        _peers.needed()
    assert ended.value.code == _peers.LEFT_OUT == 77
    assert "make peers" in capsys.readouterr().out


def test_make_peers_needs_nothing_installed(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    command = ["make", "--no-print-directory", "-n", "peers"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip().endswith("tools/peers.py")
    assert ".venv/bin" not in done.stdout


def test_every_peer_is_pinned_and_none_is_installed_with_mlscope():
    found = map(Requirement, _lines("constraints-peers.txt"))
    pins = {canonicalize_name(pin.name): str(pin.specifier) for pin in found}
    peers = {"cp-measure", "opentsne", "jupyter-scatter", "imagehash", "cleanlab", "harmonypy", "copairs"}
    assert peers <= set(pins) and all(pin.startswith("==") for pin in pins.values())
    base = {canonicalize_name(Requirement(line).name) for line in _lines("constraints.txt")}
    assert peers & base == set()
    assert [name for name in pins if re.match("nvidia|cuda|torch|triton", name)] == []


def _lines(name):
    return [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]


def test_versions_of_recorded_peers_are_those_of_the_list():
    found = map(Requirement, _lines("constraints-peers.txt"))
    pins = {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in found}
    for where in {claim.where for claim in CLAIMS.values()}:
        entry = _claims.load(where) or {"figures": {}}
        recorded = entry["figures"].get("peers", {})
        assert {n: v for n, v in recorded.items() if pins.get(canonicalize_name(n)) != v} == {}, where
