"""One file over HTTP: resumed where it broke off, never led to an unknown host, and every failure in plain words."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
from tqdm.auto import tqdm

INSTEAD = (
    "Without a network: ms.datasets.load('fly') has real cells, ms.datasets.simulate() has cells with an answer key."
)
TIMEOUT_S = (10.0, 30.0)  # to connect, and between two pieces
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_REDIRECTS = (301, 302, 303, 307, 308)


class Transfer:
    """A downloader for pooch that goes on where an earlier try broke off.

    What has arrived is kept beside the target as ``NAME.part``, also when the kernel is stopped.

    Parameters
    ----------
    part : Path
        Where to keep what has arrived so far.
    hosts : sequence of str
        Hosts that the file may come from, with their subdomains; a redirect to any other is refused.
    tries : int
        How often to go on after a broken connection.
    progress : bool
        Show a bar.
    timeout_s : (float, float)
        Seconds to wait for a connection, and for the next piece.
    """

    def __init__(
        self,
        part: Path,
        hosts: Sequence[str],
        *,
        tries: int = 5,
        progress: bool = True,
        timeout_s: tuple[float, float] = TIMEOUT_S,
    ) -> None:
        self.part, self.hosts, self.tries, self.progress, self.timeout_s = part, hosts, tries, progress, timeout_s
        self.resumed = False

    def __call__(self, url: str, output_file: str, pooch: object = None) -> None:
        """Download `url` to `output_file`.

        Raises
        ------
        ConnectionError
            The server cannot be reached, answers with an error, sends too little, or leads to an unknown host.
        """
        for last in [*[False] * (self.tries - 1), True]:
            before = self._arrived()
            try:
                self._go_on(url)
                break
            except requests.RequestException as error:
                if last or (
                    before == self._arrived() and not isinstance(error, requests.exceptions.ChunkedEncodingError)
                ):
                    raise ConnectionError(self._why(url, error)) from error
        os.replace(self.part, output_file)

    def _go_on(self, url: str) -> None:
        """Ask for what is missing and add it to what is there."""
        start = self._arrived()
        with self._answer(url, start) as answer:
            if answer.status_code == 416:  # nothing is left to send, or the part is not of this file
                if _total(answer) == start:
                    return
                self.part.unlink()
                raise requests.exceptions.ChunkedEncodingError("the server has no such part of the file")
            if answer.status_code == 200:
                start = 0
            elif answer.status_code != 206 or _first(answer) != start:
                raise ConnectionError(
                    f"{urlsplit(url).hostname} answered {answer.status_code} {answer.reason} for {url}. "
                    f"Try again later. {INSTEAD}"
                )
            self.resumed = self.resumed or start > 0
            self._write(answer, start)

    def _write(self, answer: requests.Response, start: int) -> None:
        length = answer.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else None
        with (
            open(self.part, "ab" if start else "wb") as file,
            tqdm(
                total=total,
                initial=start,
                unit="B",
                unit_scale=True,
                desc=self.part.stem,
                disable=not self.progress,
                leave=False,
            ) as bar,
        ):
            for piece in answer.iter_content(1 << 16):
                file.write(piece)
                bar.update(len(piece))
        if total is not None and self._arrived() < total:
            raise requests.exceptions.ChunkedEncodingError(f"{self._arrived():,} of {total:,} bytes arrived")

    def _answer(self, url: str, start: int) -> requests.Response:
        """Follow redirects among the known hosts and return the answer."""
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        for _ in range(6):
            self._refuse_unknown(url)
            answer = requests.get(url, headers=headers, stream=True, allow_redirects=False, timeout=self.timeout_s)
            if answer.status_code not in _REDIRECTS:
                return answer
            url = urljoin(url, answer.headers.get("Location", ""))
            answer.close()
        raise ConnectionError(f"More than 5 redirects, the last to {url}. Try again later. {INSTEAD}")

    def _refuse_unknown(self, url: str) -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if not any(host == known or host.endswith(f".{known}") for known in self.hosts):
            raise ConnectionError(
                f"The download leads to '{host}', which is not one of {', '.join(self.hosts)}. It was refused. "
                f"If the file has moved there for good, add the host to the registry. {INSTEAD}"
            )
        if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
            raise ConnectionError(f"{url} is not https. It was refused. {INSTEAD}")

    def _arrived(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _why(self, url: str, error: requests.RequestException) -> str:
        host = urlsplit(url).hostname
        if isinstance(error, requests.exceptions.Timeout):
            what = f"{host} does not answer"
        elif isinstance(error, requests.exceptions.ChunkedEncodingError):
            what = f"The connection to {host} broke off again and again"
        else:
            what = f"Cannot reach {host} ({type(error).__name__})"
        kept = self._arrived()
        on = f" {kept:,} bytes are kept; the same call goes on from there." if kept else ""
        return f"{what}. Are you online?{on} {INSTEAD}"


def _first(answer: requests.Response) -> int:
    """Return the first byte of a partial answer, from "bytes 100-199/200"."""
    said = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(said) if said.isdigit() else -1


def _total(answer: requests.Response) -> int:
    said = answer.headers.get("Content-Range", "").rpartition("/")[2]
    return int(said) if said.isdigit() else -1
