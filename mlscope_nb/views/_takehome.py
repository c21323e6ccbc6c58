"""The work taken home from a view, and brought back to it: one zip file through the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlscope_nb.views import work
from mlscope_nb.views._widget import View


class TakeHome(View):
    """A view with "Download my work" and "Restore…"."""

    _arrived = bytearray()

    def _on_download(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """Hand labels, answers and notebooks to the browser as one zip file."""
        try:
            data = work.work_bytes(Path.cwd())
        except OSError as error:
            self._say(f"{error}", warning=True)
            return
        self.send({"kind": "work", "name": "my_mlscope_work.zip"}, buffers=[data])

    def _on_upload(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """Take one piece of a zip file; bring the work back when it is whole."""
        at, size = int(content["at"]), int(content["size"])
        if at == 0:
            self._arrived = bytearray()
        if at != len(self._arrived):
            return  # a piece of an upload that was given up
        if size > work.MOST_BYTES:
            self._say(work.too_large(size), warning=True)
            return
        self._arrived += buffers[0]
        if len(self._arrived) < size:
            self._say(f"Uploading: {len(self._arrived) / 1e6:,.0f} of {size / 1e6:,.0f} MB …")
            return
        data, self._arrived = bytes(self._arrived), bytearray()
        try:
            done = work.restore_bytes(data, Path.cwd())
        except (ValueError, OSError) as error:
            self._say(f"{error}", warning=True)
            return
        self._say(f"{done} Run this cell again to see the labels.")

    def _say(self, text: str, *, warning: bool = False) -> None:
        """Show a sentence to the user."""
