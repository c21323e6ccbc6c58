"""A JupyterLab and a browser for benchmarks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Page

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
IDLE = "()=>window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status=='idle'"
ASK = """async (code)=>{const kernel=window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future=kernel.requestExecute({code,store_history:false}); let text='', error='';
  future.onIOPub=m=>{if(m.header.msg_type==='stream')text+=m.content.text;
    if(m.header.msg_type==='error')error=m.content.ename+': '+m.content.evalue};
  await future.done; return {text, error}}"""
FAILED = """()=>[...window.jupyterapp.shell.currentWidget.content.model.cells].flatMap(c=>{const o=c.outputs, e=[];
  for(let i=0;o && i<o.length;i++) if(o.get(i).type==='error') e.push(JSON.stringify(o.get(i).toJSON()).slice(0,800));
  if(c.type==='code' && !c.executionCount) e.push('not run: '+c.sharedModel.getSource().slice(0,60)); return e})"""


@contextmanager
def lab(root: Path, cores: list[int] | None = None) -> Iterator[tuple[int, int]]:
    """JupyterLab over a folder, on some cores; gives its port and process id."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    scratch = Path(tempfile.mkdtemp())
    environment = dict(os.environ, JUPYTER_CONFIG_DIR=str(scratch), JUPYTERLAB_WORKSPACES_DIR=str(scratch / "ws"))
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--IdentityProvider.token=t", f"--ServerApp.root_dir={root}", "--LabApp.expose_app_in_browser=True"]
    command += ["--LabApp.news_url=None"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if cores:
        psutil.Process(process.pid).cpu_affinity(cores)
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=t", timeout=2).close()
            break
        except OSError:
            time.sleep(0.2)
    try:
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(scratch, ignore_errors=True)


class SlowLine:
    """A line between browser and server: `delay` seconds each way, `rate` bytes a second; counts what passes."""

    def __init__(self, port: int, *, delay: float = 0.0, rate: float = 0.0) -> None:
        self.target, self.delay, self.rate = port, delay, rate
        self.down = self.up = 0
        self._loop = asyncio.new_event_loop()
        ready: Future[int] = Future()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        self.port = ready.result(20)

    def _run(self, ready: Future[int]) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._connected, "127.0.0.1", 0))
        ready.set_result(server.sockets[0].getsockname()[1])
        self._loop.run_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        near, far = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self._pump(reader, far, up=True), self._pump(near, writer, up=False))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, up: bool) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sender = asyncio.create_task(self._send(queue, sink))
        free = 0.0  # when the line has passed on all that came before
        try:
            while data := await source.read(16_384):
                now = time.monotonic()
                free = max(free, now) + (len(data) / self.rate if self.rate else 0.0)
                self.up, self.down = self.up + len(data) * up, self.down + len(data) * (not up)
                queue.put_nowait((free + self.delay, data))
        except ConnectionError:
            pass
        queue.put_nowait((time.monotonic(), b""))
        await sender

    async def _send(self, queue: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter) -> None:
        while True:
            when, data = await queue.get()
            if not data:
                sink.close()
                return
            await asyncio.sleep(max(0.0, when - time.monotonic()))
            with contextlib.suppress(ConnectionError):
                sink.write(data)
                await sink.drain()


def open_notebook(page: Page, port: int, name: str) -> None:
    """Open a notebook with a fresh kernel."""
    page.set_default_timeout(300_000)
    page.goto(f"http://127.0.0.1:{port}/lab/tree/{name}?reset&token=t", wait_until="domcontentloaded")
    page.wait_for_function(IDLE)


def run_all(page: Page) -> None:
    """Run all cells; stops when one fails."""
    page.evaluate("()=>window.jupyterapp.commands.execute('notebook:run-all-cells').then(()=>1)")
    page.wait_for_function(IDLE)
    failed = page.evaluate(FAILED)
    if failed:
        raise SystemExit(f"Not every cell ran: {failed}")


def ask(page: Page, code: str) -> Any:
    """Run code in the notebook's kernel; what it printed, read as JSON."""
    answer = page.evaluate(ASK, code)
    if answer["error"]:
        raise SystemExit(answer["error"])
    return json.loads(answer["text"]) if answer["text"] else None
