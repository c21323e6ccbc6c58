"""`make lab ARGS=--no-browser`: the real server starts, and its address opens the notebook."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The address that JupyterLab prints, from a folder that has one notebook and no settings."""
    for kind in ("CONFIG", "DATA", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{kind}_DIR", str(tmp_path / kind))
    notebook = tmp_path / "notebooks" / "00_start_here.ipynb"
    notebook.parent.mkdir()
    notebook.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    command = [sys.executable, "-m", "mlscope_nb", "lab", f"--port={free_port()}", "--no-browser"]
    log = tmp_path / "lab.log"
    with log.open("w") as out:
        lab = subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield wait_for_address(log)
    finally:
        os.killpg(lab.pid, signal.SIGTERM)
        lab.wait(timeout=30)


def wait_for_address(log, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = re.search(r"http://127\.0\.0\.1:\d+/lab\S+", log.read_text())
        if found:
            return found.group()
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab printed no address:\n{log.read_text()}")


def test_the_printed_address_opens_the_first_notebook_and_asks_for_no_news(served):
    assert re.search(r"/lab/tree/notebooks/00_start_here\.ipynb\?token=\w+$", served)
    with urllib.request.urlopen(served, timeout=30) as answer:
        page = answer.read().decode()
    found = re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page, flags=re.DOTALL)
    config = json.loads(found.group(1))
    assert config["treePath"] == "notebooks/00_start_here.ipynb"
    # The page asks neither for news nor for updates where this is set.
    assert config["news"] == {"disabled": True}
