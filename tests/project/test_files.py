"""What may lie in the repository: no dangerous calls, no machine's own paths, nothing large, nothing long."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mlscope_nb"
MAX_BYTES = 1_500_000
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60
SOURCES = sorted(PACKAGE.rglob("*.py"))
UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def committed_files():
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("not a git checkout: what is committed cannot be listed")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def dangers(source):
    """Calls in a source that could run foreign code: (line, what)."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from ((node.lineno, name) for name in names if name.split(".")[0] in UNPICKLERS)
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in {"eval", "exec", "pd.read_pickle", "pandas.read_pickle"} or called.endswith("read_pickle"):
            yield node.lineno, called
        for keyword in node.keywords:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else "?"
            if keyword.arg == "allow_pickle" and value is not False:
                yield node.lineno, "allow_pickle"
            if called == "torch.load" and keyword.arg == "weights_only" and value is not True:
                yield node.lineno, "torch.load with weights_only off"
        if called == "torch.load" and "weights_only" not in {k.arg for k in node.keywords}:
            yield node.lineno, "torch.load without weights_only=True"


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_the_package_never_runs_what_it_reads(file):
    assert list(dangers(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
        "eval(text)",
        "pd.read_pickle(path)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
    ],
)
def test_dangers_are_seen(source):
    assert len(list(dangers(source))) == 1


def test_harmless_look_alikes_are_not():
    source = "model.eval()\nframe.eval\nnp.load(p, allow_pickle=False)\ntorch.load(p, weights_only=True)"
    assert list(dangers(source)) == []


def long_functions(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            documented = ast.get_docstring(node) is not None
            first = node.body[1] if documented and len(node.body) > 1 else node.body[0]
            lines = (node.end_lineno or 0) - first.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{node.name}: {lines} lines"


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_modules_and_functions_stay_short(file):
    source = file.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MAX_MODULE_LINES
    assert list(long_functions(source)) == []


def test_long_functions_are_seen():
    body = "\n".join(["    x = 1"] * (MAX_FUNCTION_LINES + 1))
    assert list(long_functions(f"def f():\n{body}")) == [f"f: {MAX_FUNCTION_LINES + 1} lines"]
    assert list(long_functions(f"def f():\n{body[10:]}")) == []


def test_nothing_large_is_committed():
    large = {str(f.relative_to(ROOT)): f.stat().st_size for f in committed_files()}
    assert {name: size for name, size in large.items() if size > MAX_BYTES} == {}


# A developer's own folders and machines; /tmp, /usr and /dev are nobody's.
PRIVATE_PATH = re.compile(r"(?<![\w.~/-])(/(home|Users)/\w+|/(root|work)/\w[\w./-]*|[A-Z]:\\Users\\)")


def test_nothing_committed_names_a_machine_of_its_authors():
    named = []
    for file in committed_files():
        if file.suffix in {".png", ".tif", ".npz", ".h5ad", ".zip", ".gz", ".pt"}:
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if PRIVATE_PATH.search(line) and file != Path(__file__):
                named.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert named == []


@pytest.mark.parametrize("text", ["cd /home/ana/mlscope", "open('/work/x/y')", r"C:\Users\ana", "/root/venv"])
def test_private_paths_are_seen(text):
    assert PRIVATE_PATH.search(text)


@pytest.mark.parametrize("text", ["https://example.org/home/ana", "../work/x", "/home", "docs/work/plan.md"])
def test_other_paths_are_not(text):
    assert not PRIVATE_PATH.search(text)
