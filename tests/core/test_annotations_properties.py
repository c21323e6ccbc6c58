"""The log against a model so simple that it can be read, and against files that were cut, damaged or shared."""

import json
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlscope_nb.annotations import AnnotationLog, Entry

IDS = ["cell 0", "b", "ü", "04", "NA"]
FEW = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS
ADDED = st.tuples(st.lists(st.sampled_from(IDS), min_size=1, max_size=3), st.sampled_from(["kind", "keep"]), VALUES)
ACTIONS = st.lists(ADDED | st.sampled_from(["undo", "redo", "restart"]), max_size=12)


def state(log):
    return {name: log.column(name, IDS).tolist() for name in ("kind", "keep")}


def told(done):
    """The present, told by what was done and stands."""
    found = {"kind": dict.fromkeys(IDS), "keep": dict.fromkeys(IDS)}
    for ids, column, value in done:
        found[column].update(dict.fromkeys(ids, value))
    return {name: list(values.values()) for name, values in found.items()}


def write(path, actions):
    """Do all of it; returns the state after each line that was written."""
    path.unlink(missing_ok=True)
    log, done, undone, states = AnnotationLog(path, fingerprint="f"), [], [], []
    for action in actions:
        if action == "restart":
            log = AnnotationLog(path, fingerprint="f")
        elif action in ("undo", "redo"):
            taken, given = (done, undone) if action == "undo" else (undone, done)
            entry = log.undo() if action == "undo" else log.redo()
            assert (entry is not None) == bool(taken)
            if entry is None:
                continue
            assert (list(entry.cell_ids), entry.column, entry.value) == (
                list(dict.fromkeys(taken[-1][0])),
                *taken[-1][1:],
            )
            given.append(taken.pop())
        else:
            log.add(*action)
            done, undone = [*done, action], []
        assert state(log) == told(done) and len(log.standing) == len(done)
        if action != "restart":
            states.append(told(done))
    return states


def same(a, b):
    """Equal, and of the same type: 1 is not True."""
    return repr(a) == repr(b)


@FEW
@given(ACTIONS)
def test_every_prefix_of_the_log_is_the_state_at_that_time(tmp_path, actions):
    path = tmp_path / "log"
    states = write(path, actions)
    if not states:
        assert not path.exists()
        return
    header, *lines = [f"{line}\n" for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    assert len(lines) == len(states)
    for n in range(len(lines) + 1):
        (tmp_path / "part").write_text("".join([header, *lines[:n]]), encoding="utf-8")
        assert same(state(AnnotationLog(tmp_path / "part")), states[n - 1] if n else told([]))


@FEW
@given(ACTIONS, st.integers(1, 5))
def test_undo_and_redo_as_often_changes_nothing(tmp_path, actions, n):
    write(tmp_path / "log", actions)
    log = AnnotationLog(tmp_path / "log")
    before, standing = state(log), log.standing
    taken = [log.undo() for _ in range(n)]
    n_undone = sum(entry is not None for entry in taken)
    assert n_undone == min(n, len(standing)) and state(log) == told(
        [(e.cell_ids, e.column, e.value) for e in standing[: len(standing) - n_undone]]
    )
    back = [log.redo() for _ in range(n_undone)]
    assert [e.entry_id for e in back] == [e.entry_id for e in taken[:n_undone]][::-1]
    assert same(state(log), before) and [e.entry_id for e in log.standing] == [e.entry_id for e in standing]


@FEW
@given(ACTIONS, st.floats(0, 1), st.booleans())
def test_a_file_cut_anywhere_loses_the_line_that_was_cut_and_goes_on(tmp_path, actions, where, noise):
    path = tmp_path / "log"
    states = [told([]), *write(path, [(["b"], "kind", "größer"), *actions])]
    whole = path.read_bytes()
    header = whole.index(b"\n") + 1
    cut = whole[: header + round(where * (len(whole) - header))]
    path.write_bytes(cut + (b"\x00\xff" if noise else b""))
    log = AnnotationLog(path)
    lines = cut[header:].split(b"\n")
    is_whole = not noise and json_or_none(lines[-1]) is not None
    n = len(lines) - 1 + is_whole
    assert len(log) == n and same(state(log), states[n])
    assert len(log.damaged) == int(noise or (bool(lines[-1]) and not is_whole))
    log.add(["ü"], "keep", "after")
    again = AnnotationLog(path)
    assert same(state(again), state(log)) and again.column("keep", ["ü"]).tolist() == ["after"] and len(again) == n + 1


def json_or_none(line):
    try:
        return json.loads(line)
    except ValueError:
        return None


@FEW
@given(st.lists(WORDS.filter(str.strip), min_size=1), WORDS.filter(str.strip), VALUES, WORDS, WORDS)
def test_text_and_values_come_back_as_they_were(tmp_path, ids, column, value, reason, who):
    path = tmp_path / "log"
    path.unlink(missing_ok=True)
    made = AnnotationLog(path, who=who, fingerprint="f").add(ids, column, value, reason)
    log = AnnotationLog(path)
    assert log.standing == (made,) and same(log.standing[0], made) and log.fingerprint == "f" and not log.damaged
    assert made.cell_ids == tuple(dict.fromkeys(ids)) and (made.column, made.reason, made.who) == (column, reason, who)
    assert same(log.column(column, ids).tolist(), [value] * len(ids)) and log.columns == [column]


ANYTHING = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2))
FIELDS = Entry("kind", "x", ("b",)).to_dict()


@FEW
@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), ANYTHING, max_size=3), st.sampled_from([*FIELDS, ""]))
def test_a_line_that_nobody_wrote_is_kept_aside_or_is_an_entry(tmp_path, changed, dropped):
    record = {**FIELDS, **changed}
    record.pop(dropped, None)
    path = tmp_path / "log"
    path.unlink(missing_ok=True)
    AnnotationLog(path).add(["b"], "kind", "mine")
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    log = AnnotationLog(path)
    assert len(log) + len(log.damaged) == 2
    assert str(log) and len(log.entries) == len(log) and set(log.columns) >= {"kind"}
    for name in [*log.columns, "kind"]:
        assert len(log.column(name, IDS)) == len(IDS)
    assert all(map(str, log.standing))
    log.undo()
    assert len(AnnotationLog(path).damaged) == len(log.damaged)


@pytest.mark.parametrize(
    "line", [b'{"kind": "gr\xf6\xdfer"}', b"1" * 5000, b"[" * 100_000, b"\x00" * 50, b"null", b"[1]"]
)
def test_bytes_that_are_no_line_are_kept_aside_and_change_no_text(tmp_path, line):
    path = tmp_path / "log"
    AnnotationLog(path).add(["b"], "kind", "mine")
    path.write_bytes(path.read_bytes().replace(b'"mine"', b'"gr\xf6\xdfer"') + line + b"\n")
    log = AnnotationLog(path)
    assert len(log.damaged) == 2 and len(log) == 0
    log.add(["b"], "kind", "größer")
    assert AnnotationLog(path).column("kind", ["b"]).tolist() == ["größer"]


def test_many_writers_at_once_lose_nothing(tmp_path):
    path = tmp_path / "log"
    AnnotationLog(path).add(["first"], "kind", -1)
    logs = [AnnotationLog(path, who=str(k)) for k in range(6)]
    threads = [
        threading.Thread(target=lambda k=k: [logs[k].add([f"{k} {n}"], "kind", n) for n in range(20)]) for k in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = AnnotationLog(path)
    ids = [f"{k} {n}" for k in range(6) for n in range(20)]
    assert log.column("kind", ids).tolist() == [n for _ in range(6) for n in range(20)] and not log.damaged
    assert len(log) == 121 and log.entries["who"].iloc[1:].value_counts().to_dict() == {str(k): 20 for k in range(6)}


@FEW
@given(ACTIONS)
def test_the_table_of_entries_is_what_the_file_holds(tmp_path, actions):
    path = tmp_path / "log"
    path.unlink(missing_ok=True)
    write(path, actions)
    log = AnnotationLog(path)
    lines = [] if not path.exists() else path.read_text(encoding="utf-8").split("\n")[1:-1]
    assert same(log.entries.to_dict("records"), [json.loads(line) for line in lines])
    assert log.columns == list(dict.fromkeys(log.entries.query("action == 'assign'")["column"]))
    assert log.entries["entry_id"].is_unique and log.entries["time"].is_monotonic_increasing


def test_two_kernels_that_take_back_the_same_take_it_back_once(tmp_path):
    path = tmp_path / "log"
    AnnotationLog(path).add(["b"], "kind", "x")
    one, two = AnnotationLog(path), AnnotationLog(path)
    assert one.undo().value == two.undo().value == "x"
    assert AnnotationLog(path).column("kind", ["b"]).tolist() == [None]
    assert one.redo().value == two.redo().value == "x"
    again = AnnotationLog(path)
    assert again.column("kind", ["b"]).tolist() == ["x"] and len(again.standing) == 1 and len(again) == 5


def test_what_a_log_says_of_itself(tmp_path):
    log = AnnotationLog()
    assert str(log) == "AnnotationLog in memory: 0 entries in no column"
    assert str(log.add(["b", "ü"], "kind", "x", "because")) == "kind = x for 2 cells (because)"
    assert str(log.add(["b"], "kind", None)) == "kind = None for 1 cell" and not log.unwritten
    log.undo()
    assert str(log) == "AnnotationLog in memory: 1 entry in 'kind'"
    saved = AnnotationLog(tmp_path / "log.jsonl")
    saved.add(["b"], "kind", "x")
    assert str(saved) == "AnnotationLog in log.jsonl: 1 entry in 'kind'" and not saved.unwritten
