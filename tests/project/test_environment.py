"""One set of versions: pyproject.toml, constraints.txt, environment.yml and what is installed agree."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LINES = [
    line
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
PINS = {canonicalize_name(r.name): r for r in map(Requirement, LINES)}
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
PIP_LINES = next(entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict))


def version_of(pin):
    (specifier,) = pin.specifier
    return specifier.version


def conda_pin(name):
    (entry,) = [e for e in CONDA["dependencies"] if isinstance(e, str) and e.split("=")[0] == name]
    return entry.split("=")[1]


@pytest.mark.parametrize("line", LINES)
def test_every_constraint_is_one_exact_public_version(line):
    pin = Requirement(line)
    (specifier,) = pin.specifier
    assert specifier.operator == "==" and "*" not in specifier.version and "+" not in specifier.version
    assert pin.url is None


def test_no_package_is_pinned_twice():
    assert len(PINS) == len(LINES)


@pytest.mark.parametrize("text", [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]])
def test_every_declared_dependency_is_pinned_within_its_bounds(text):
    declared = Requirement(text)
    pin = PINS[canonicalize_name(declared.name)]
    assert declared.specifier.contains(version_of(pin)), f"{pin} is outside {declared}"


def needed(names):
    """All packages that these names bring on this machine, found by walking the installed metadata."""
    seen, todo = {}, [Requirement(name) for name in names]
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if name in seen and requirement.extras <= seen[name]:
            continue
        seen[name] = seen.get(name, set()) | requirement.extras
        for text in metadata.requires(name) or []:
            inner = Requirement(text)
            extras = [*requirement.extras, ""]
            if inner.marker is None or any(
                inner.marker.evaluate({**default_environment(), "extra": e}) for e in extras
            ):
                todo.append(inner)
    return set(seen)


def test_everything_installed_for_mlscope_is_pinned_and_is_that_version():
    names = needed(["mlscope_nb[dev]"]) - {"mlscope-nb"}
    assert len(names) > 100
    assert names - set(PINS) == set()
    found = {name: metadata.version(name).partition("+")[0] for name in names}
    assert {n: v for n, v in found.items() if v != version_of(PINS[n])} == {}


def test_conda_python_is_one_that_the_package_allows():
    python = conda_pin("python")
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)
    assert f"Programming Language :: Python :: {python}" in PROJECT["classifiers"]


def test_conda_gives_python_and_pip_only_and_from_conda_forge():
    assert CONDA["channels"] == ["conda-forge", "nodefaults"]
    names = [entry.split("=")[0] for entry in CONDA["dependencies"] if isinstance(entry, str)]
    assert names == ["python", "pip"]
    assert conda_pin("pip") == version_of(PINS["pip"])


def test_conda_s_pip_installs_the_constraints_and_the_checkout():
    assert "-c constraints.txt" in PIP_LINES
    assert "-e ." in PIP_LINES


def test_conda_s_torch_is_the_pinned_cpu_build():
    (line,) = [line for line in PIP_LINES if line.startswith("torch")]
    torch = Requirement(line)
    assert str(torch.specifier) == f"=={version_of(PINS['torch'])}+cpu"
    assert str(torch.marker) == 'sys_platform == "linux"'
    install = (ROOT / "tools" / "install.py").read_text(encoding="utf-8")
    (index,) = [line.split()[1] for line in PIP_LINES if line.startswith("--extra-index-url")]
    assert f'CPU_INDEX = "{index}"' in install


def test_texts_name_the_pinned_torch():
    texts = "".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    assert set(re.findall(r"torch==([\d.]*\d)", texts)) == {version_of(PINS["torch"])}


def test_no_cuda_is_pinned_or_installed_here_beside_a_cpu_build():
    assert [name for name in PINS if re.match(r"nvidia|cuda|triton", name)] == []
    if metadata.version("torch").endswith("+cpu"):
        cuda = [d.name for d in metadata.distributions() if re.match(r"nvidia-|cuda-|triton$", d.name)]
        assert cuda == []


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.findall(r"^## \[(\d[\w.]*)\]", changelog, flags=re.MULTILINE)[0]
    assert citation["version"] == newest == PROJECT["version"] == metadata.version("mlscope_nb")
    assert citation["license"] == PROJECT["license"] == "BSD-3-Clause"
