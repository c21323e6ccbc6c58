"""Which room may look into which: light to import, and each chapter sees only those above it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mlscope_nb"
# From top to bottom; each may import what stands before it. The list is the one of docs/architecture.md.
CHAPTERS = [
    "cells", "fields", "annotations", "study", "io", "datasets", "features", "pipeline", "curate", "explore",
    "predict", "explain", "risks", "views", "lessons",
]  # fmt: skip
# Cells on disk and as AnnData: a part of `cells` that has a file of its own, loaded when it is asked for.
PARTS = {"_store": "cells", "_anndata": "cells"}
MAY_IMPORT_ALL = {"views", "lessons", "__init__", "__main__"}
PLOTTING = {
    "holoviews",
    "bokeh",
    "ipywidgets",
    "matplotlib",
    "panel",
    "anywidget",
    "IPython",
}
HEAVY = ["torch", "umap", "sklearn", "holoviews", "bokeh", "anndata"]


def room_of(module):
    """The chapter or top-level module that a dotted name such as mlscope_nb.io.read lies in."""
    parts = module.split(".")
    room = parts[1] if len(parts) > 1 else "__init__"
    return PARTS.get(room, room)


def typing_only(tree):
    """The nodes under `if TYPE_CHECKING:`, which never run."""
    guards = (node for node in ast.walk(tree) if isinstance(node, ast.If))
    named = (node for node in guards if ast.unparse(node.test).removeprefix("typing.") == "TYPE_CHECKING")
    return {inner for node in named for statement in node.body for inner in ast.walk(statement)}


def imported_modules(source, module, is_package):
    """Every module that a source imports, anywhere in it, with relative names resolved: (line, name).

    A private utility may name a chapter's class in its type hints; that alone makes it depend on nothing.
    """
    base = module.split(".") if is_package else module.split(".")[:-1]
    tree = ast.parse(source)
    left_out = typing_only(tree) if room_of(module).startswith("_") else set()
    for node in ast.walk(tree):
        if node in left_out:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = base[: len(base) - node.level + 1] if node.level else []
            target = ".".join([*prefix, *([node.module] if node.module else [])])
            # `from mlscope_nb import io` names a room only in its last part.
            names = [f"{target}.{alias.name}" for alias in node.names] if target == "mlscope_nb" else [target]
            yield from ((node.lineno, name) for name in names)


def violation(room, target):
    """Why a module in `room` may not import `target`; None where it may."""
    top = target.split(".")[0]
    if top != "mlscope_nb":
        return f"{room} imports plotting" if top in PLOTTING and room not in MAY_IMPORT_ALL else None
    other = room_of(target)
    if room in MAY_IMPORT_ALL or other == room or (other not in CHAPTERS and other != "__init__"):
        return None
    if other == "__init__":
        return f"{room} imports the whole package"
    if room not in CHAPTERS:
        return f"the utility {room} imports the chapter {other}"
    if CHAPTERS.index(other) > CHAPTERS.index(room):
        return f"{room} imports {other}, which stands below it"
    return None


def violations(package):
    """All breaches in a package folder, as readable lines."""
    found = []
    for file in sorted(package.rglob("*.py")):
        parts = ["mlscope_nb", *file.relative_to(package).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        for line, target in imported_modules(file.read_text(encoding="utf-8"), module, is_package):
            reason = violation(room_of(module), target)
            if reason:
                found.append(f"{file.relative_to(package)}:{line}: {reason} ({target})")
    return found


def test_import_directions():
    assert violations(PACKAGE) == []


def test_every_public_module_has_its_place_in_the_order():
    modules = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    public = {name for name in modules if not name.startswith("_")}
    assert public - set(CHAPTERS) == {"doctor"}


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("study/splits.py", "from mlscope_nb import io", "study imports io"),
        ("study/splits.py", "from ..io import read", "study imports io"),
        ("study/splits.py", "from .. import io", "study imports io"),
        ("study/splits.py", "def f():\n    import mlscope_nb.predict.models", "study imports predict"),
        ("study/__init__.py", "from ..views import gallery", "study imports views"),
        ("cells.py", "from .fields import Fields", "cells imports fields"),
        ("explore/maps.py", "def f():\n    import holoviews as hv", "explore imports plotting"),
        ("explore/maps.py", "from bokeh.models import Range1d", "explore imports plotting"),
        ("_paths.py", "from .cells import Cells", "the utility _paths imports the chapter cells"),
        ("doctor.py", "from mlscope_nb.io import read", "the utility doctor imports the chapter io"),
        ("_store.py", "from .fields import Fields", "cells imports fields"),
        ("_store.py", "from .io import read", "cells imports io"),
        ("io/read.py", "import mlscope_nb as ms", "io imports the whole package"),
        ("cells.py", "if TYPE_CHECKING:\n    from .io import read", "cells imports io"),
    ],
)
def test_the_checker_finds(tmp_path, path, source, expected):
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(source)
    (found,) = violations(tmp_path)
    assert found.startswith(path) and expected in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "io/read.py",
            "from ..cells import Cells\nfrom .. import study\nfrom . import files\nfrom .files import x",
        ),
        ("io/__init__.py", "from .read import read_fields\nfrom . import read"),
        ("views/map.py", "import holoviews\nfrom ..lessons import check"),
        ("cells.py", "import numpy as np\nfrom ._files import save\nfrom mlscope_nb import _files"),
        ("__init__.py", "from . import views, cells"),
        ("_store.py", "from .cells import Cells\nfrom ._files import replacing"),
        ("_pictures.py", "if TYPE_CHECKING:\n    from mlscope_nb.cells import Cells"),
    ],
)
def test_the_checker_allows(tmp_path, path, source):
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(source)
    assert violations(tmp_path) == []


def loaded_after(code):
    """Which heavy packages a fresh interpreter holds after running `code`."""
    show = f"import sys; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{show}"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_after("import mlscope_nb") == []


def test_the_doctor_loads_nothing_heavy():
    assert loaded_after("import mlscope_nb.doctor; mlscope_nb.doctor.examine()") == []


def test_the_measurement_itself_sees_a_heavy_package():
    assert "bokeh" in loaded_after("import bokeh")
