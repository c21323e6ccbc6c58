"""The notebooks that travel with the package, and their glossary, copied to a folder of the learner's own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from mlscope_nb._files import made_folder, replacing
from mlscope_nb._words import count, some

_PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class Copied:
    """What `copy_notebooks` did: names of files below `folder`."""

    folder: str
    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    kept: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"Copied {count(len(self.written), 'file')} to {self.folder}."]
        if self.unchanged:
            lines.append(f"{count(len(self.unchanged), 'file was', 'files were')} there already, the same.")
        if self.kept:
            lines.append(f"Left alone, for what is there is not the same: {some(self.kept, 20)}.")
        return "\n".join(lines)


def notebooks() -> dict[str, Path]:
    """Return notebooks by name (``solutions/`` before those of solutions) and the glossary that they link.

    They are those of the checkout, or of the installed wheel.

    Raises
    ------
    FileNotFoundError
        This copy of the package came without notebooks.

    Examples
    --------
    >>> "00_start_here.ipynb" in notebooks()
    True
    """
    for folder in (_PACKAGE / "_notebooks", _PACKAGE.parent / "notebooks"):
        found = [*sorted(folder.glob("*.ipynb")), *sorted(folder.glob("solutions/*.ipynb"))]
        if found:
            found += folder.glob("glossary.md")
            return {path.relative_to(folder).as_posix(): path for path in found}
    raise FileNotFoundError(f"No notebooks beside '{_PACKAGE}'. Install mlscope_nb again, or take its repository.")


def copy_notebooks(folder: str | Path) -> Copied:
    """Copy all notebooks, their solutions and the glossary; what is there and different is left alone.

    Parameters
    ----------
    folder : path
        Where to; made where it does not exist.

    Returns
    -------
    Copied
        ``.written``, ``.unchanged`` and ``.kept``.

    Raises
    ------
    OSError
        The folder cannot be made or written.

    Examples
    --------
    >>> import tempfile
    >>> copy_notebooks(tempfile.mkdtemp()).kept
    ()
    """
    target = Path(folder).expanduser()
    written: list[str] = []
    unchanged: list[str] = []
    kept: list[str] = []
    for name, source in notebooks().items():
        path = target / name
        made_folder(path.parent)
        if path.exists() or path.is_symlink():
            same = path.is_file() and path.read_bytes() == source.read_bytes()
            (unchanged if same else kept).append(name)
            continue
        with replacing(path) as part:
            shutil.copyfile(source, part)
        written.append(name)
    return Copied(str(target), tuple(written), tuple(unchanged), tuple(kept))
