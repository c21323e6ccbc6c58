"""Where a lesson's own files go: beside the notebook, or into the home folder where nothing can be written there."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mlscope_nb._files import writable_folder
from mlscope_nb.lessons.cards import say

FOLDER = "mlscope_work"


def workplace() -> Path:
    """Return the folder for files that one makes in a lesson, and say where it is.

    That is the folder of the notebook. Where nothing can be written there, as in a course folder that a room shares,
    it is ``mlscope_work`` in the home folder, where labels and answers are then kept too.

    Returns
    -------
    Path
        To be written to: ``workplace() / "my_folder"``. The folder of the notebook is ``Path()``, so that paths in it
        stay short.

    Raises
    ------
    OSError
        Neither the folder of the notebook nor the home folder can be written.

    Examples
    --------
    >>> import mlscope_nb as ms
    >>> print(ms.lessons.workplace() / "my_folder")  # doctest: +ELLIPSIS
    Your files. ...my_folder
    """
    try:
        with tempfile.TemporaryFile(dir=Path.cwd()):
            place, text = Path(), "What you make in this notebook goes beside it."
    except OSError:
        place, _ = writable_folder(Path.cwd(), FOLDER)
        text = f"The folder of this notebook cannot be written to. What you make goes into `{place}`."
    say("Your files", text)
    return place
