"""Downloads: cached, checked, resumed; every way in which a server can fail is met on a local one."""

import hashlib
import io
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from mlscope_nb.datasets.downloads import REGISTRY, download, downloadable, fetch
from mlscope_nb.datasets.transfer import Transfer


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def some_set(n=30, seed=0):
    rng = np.random.default_rng(seed)
    parts = {}
    for part in ("train", "val", "test"):
        parts[f"{part}_images"] = rng.integers(0, 256, (n, 28, 28, 3), dtype=np.uint8)
        parts[f"{part}_labels"] = rng.integers(0, 2, (n, 1))
    return npz(**parts)


class Server:
    """A local server that answers each request with the next of its behaviours, the last one for ever."""

    def __init__(self, content):
        self.content, self.behaviours, self.requests = content, [self.whole], []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.requests.append((self.path, self.headers.get("Range")))
                behave = server.behaviours.pop(0) if len(server.behaviours) > 1 else server.behaviours[0]
                behave(self)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/"

    def send(self, handler, status, body, length=None, **headers):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    def whole(self, handler):
        asked = handler.headers.get("Range")
        if not asked:
            return self.send(handler, 200, self.content)
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(self.content):
            return self.send(handler, 416, b"", Content_Range=f"bytes */{len(self.content)}")
        span = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        return self.send(handler, 206, self.content[start:], Content_Range=span)

    def without_ranges(self, handler):
        self.send(handler, 200, self.content)

    def broken_off(self, share=0.5):
        """Send a part of what was announced and hang up."""
        cut = int(len(self.content) * share)
        return lambda handler: self.send(handler, 200, self.content[:cut], length=len(self.content))

    def nothing(self, handler):
        """Announce the rest of the file and hang up at once."""
        start = int((handler.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        span = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        self.send(handler, 206, b"", length=len(self.content) - start, Content_Range=span)

    def redirect(self, url):
        return lambda handler: self.send(handler, 302, b"", Location=url)

    def silent(self, handler):
        threading.Event().wait(2)


@pytest.fixture
def server():
    running = Server(some_set())
    yield running
    running.http.shutdown()
    running.http.server_close()


def known(server, content=None, **more):
    checksum = "md5:" + hashlib.md5(server.content if content is None else content).hexdigest()
    return {"url": f"{server.url}set.npz", "file": "set.npz", "checksum": checksum, "hosts": ["127.0.0.1"], **more}


def registry_of(server, tmp_path, content=None):
    """A registry with one set on the local server: what a user's own looks like."""
    path = tmp_path / "own.toml"
    checksum = known(server, content)["checksum"]
    path.write_text(
        f'[sources.medmnist]\nurl = "{server.url}"\nhosts = ["127.0.0.1"]\n'
        'licence = "CC0"\ncite = "nobody"\nsource = "here"\n'
        f'[sets.own]\nfiles = {{ 28 = "{checksum}" }}\nlabels = ["dark", "light"]\n',
        encoding="utf-8",
    )
    return path


def test_a_set_of_three_lines_becomes_cells(server, tmp_path):
    cells = download("own", folder=tmp_path, progress=False, registry=registry_of(server, tmp_path))
    assert cells.images.shape == (90, 3, 28, 28)
    assert cells.channels == ("red", "green", "blue")
    assert cells.design.label == "label" and cells.design.unit == ()
    assert set(cells.labels) == {"dark", "light"}
    assert cells.obs["split"].value_counts().to_dict() == {"train": 30, "val": 30, "test": 30}
    arrays = np.load(io.BytesIO(server.content))
    np.testing.assert_array_equal(cells.images[31], np.moveaxis(arrays["val_images"][1], -1, 0))
    assert cells.labels.iloc[31] == ["dark", "light"][arrays["val_labels"][1, 0]]
    assert "no unit" in cells.history[0]["note"] and cells.history[0]["licence"] == "CC0"


def test_a_part_and_a_choice(server, tmp_path):
    registry = registry_of(server, tmp_path)
    options = {"folder": tmp_path, "progress": False, "registry": registry, "split": "test"}
    part = download("own", n=7, **options)
    again = download("own", n=7, **options)
    assert len(part) == 7 and list(part.ids) == list(again.ids)
    assert list(download("own", n=7, seed=1, **options).ids) != list(part.ids)
    assert len(server.requests) == 1, "the file is downloaded once and then taken from the cache"


def test_the_shipped_registry_is_complete():
    table = downloadable()
    assert list(table.index) == ["bloodmnist", "tissuemnist", "pathmnist"]
    assert (table["licence"] == "CC BY 4.0").all()
    assert all("10519652" in source for source in table["source"])
    assert table["labels"].tolist() == [8, 8, 9]
    assert "md5:7053d0359d879ad8a5505303e11de1dc" in REGISTRY.read_text(encoding="utf-8")


def test_wrong_checksum_is_deleted_and_named(server, tmp_path):
    with pytest.raises(ValueError, match=r"not the one that was published.*deleted"):
        fetch(known(server, content=b"something else"), tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


def test_a_changed_file_in_the_cache_is_replaced(server, tmp_path):
    path = fetch(known(server), tmp_path, progress=False)
    path.write_bytes(b"damaged")
    assert fetch(known(server), tmp_path, progress=False).read_bytes() == server.content


def test_a_broken_connection_is_resumed(server, tmp_path):
    server.behaviours = [server.broken_off(), server.whole]
    assert fetch(known(server), tmp_path, progress=False).read_bytes() == server.content
    (_, first), (_, second) = server.requests
    start = int(second.removeprefix("bytes=").removesuffix("-"))
    assert first is None and 0 < start <= len(server.content) // 2, "the second request asks for what is missing"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set.npz"]


def test_a_server_without_ranges_starts_over(server, tmp_path):
    server.behaviours = [server.broken_off(), server.without_ranges]
    assert fetch(known(server), tmp_path, progress=False).read_bytes() == server.content


def test_a_truncated_body_is_refused_in_the_end_and_what_came_is_kept(server, tmp_path):
    server.behaviours = [server.broken_off(), server.nothing]
    with pytest.raises(ConnectionError, match=r"bytes are kept.*simulate") as raised:
        fetch(known(server), tmp_path, progress=False)
    assert "Traceback" not in str(raised.value)
    assert len(server.requests) <= 6
    assert not (tmp_path / "set.npz").exists()


def test_the_next_call_goes_on_where_the_last_one_stopped(server, tmp_path):
    (tmp_path / "set.npz.part").write_bytes(server.content[:1000])
    assert fetch(known(server), tmp_path, progress=False).read_bytes() == server.content
    assert server.requests == [("/set.npz", "bytes=1000-")]


@pytest.mark.parametrize("length", [1000, 10**6])
def test_a_part_of_another_file_is_given_up(server, tmp_path, length):
    (tmp_path / "set.npz.part").write_bytes(b"x" * length)
    assert fetch(known(server), tmp_path, progress=False).read_bytes() == server.content


def test_a_complete_part_needs_no_more(server, tmp_path):
    (tmp_path / "set.npz.part").write_bytes(server.content)
    assert fetch(known(server), tmp_path, progress=False).read_bytes() == server.content


def test_a_redirect_to_another_host_is_refused(server, tmp_path):
    server.behaviours = [server.redirect("http://localhost:1/set.npz")]
    with pytest.raises(ConnectionError, match=r"leads to 'localhost'.*refused.*registry"):
        fetch(known(server), tmp_path, progress=False)
    assert len(server.requests) == 1 and not (tmp_path / "set.npz").exists()


def test_a_redirect_on_the_same_host_is_followed(server, tmp_path):
    server.behaviours = [server.redirect("/elsewhere/set.npz"), server.whole]
    assert fetch(known(server), tmp_path, progress=False).read_bytes() == server.content
    assert [path for path, _ in server.requests] == ["/set.npz", "/elsewhere/set.npz"]


def test_endless_redirects_end(server, tmp_path):
    server.behaviours = [server.redirect("/again")]
    with pytest.raises(ConnectionError, match="More than 5 redirects"):
        fetch(known(server), tmp_path, progress=False)
    assert len(server.requests) == 6


def test_plain_http_beyond_this_machine_is_refused(tmp_path):
    remote = {"url": "http://zenodo.org/x.npz", "file": "x.npz", "checksum": "md5:0", "hosts": ["zenodo.org"]}
    with pytest.raises(ConnectionError, match="not https"):
        fetch(remote, tmp_path, progress=False)


@pytest.mark.parametrize("host", ["evilzenodo.org", "zenodo.org.evil.com"])
def test_hosts_that_only_look_alike_are_refused(tmp_path, host):
    remote = {"url": f"https://{host}/x.npz", "file": "x.npz", "checksum": "md5:0", "hosts": ["zenodo.org"]}
    with pytest.raises(ConnectionError, match=f"leads to '{host}'"):
        fetch(remote, tmp_path, progress=False)


def test_a_dead_server_says_what_to_use_instead(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    dead = {"url": url + "set.npz", "file": "set.npz", "checksum": "md5:0", "hosts": ["127.0.0.1"]}
    with pytest.raises(ConnectionError, match=r"Cannot reach 127.0.0.1.*load\('fly'\).*simulate"):
        fetch(dead, tmp_path, progress=False)


def test_a_silent_server_times_out(server, tmp_path):
    server.behaviours = [server.silent]
    transfer = Transfer(tmp_path / "set.npz.part", ["127.0.0.1"], progress=False, timeout_s=(1.0, 0.2))
    with pytest.raises(ConnectionError, match="does not answer"):
        transfer(f"{server.url}set.npz", str(tmp_path / "set.npz"))


def test_an_error_of_the_server_is_passed_on(server, tmp_path):
    server.behaviours = [lambda handler: server.send(handler, 404, b"gone")]
    with pytest.raises(ConnectionError, match="answered 404"):
        fetch(known(server), tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


def test_nothing_is_unpickled(server, tmp_path):
    arrays = dict(np.load(io.BytesIO(server.content)))
    arrays["train_images"] = np.array([{"a": 1}], dtype=object)
    server.content = npz(**arrays)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        download("own", folder=tmp_path, progress=False, registry=registry_of(server, tmp_path))


def test_labels_beyond_the_list_are_refused(server, tmp_path):
    arrays = dict(np.load(io.BytesIO(server.content)))
    arrays["test_labels"] = arrays["test_labels"] + 1
    server.content = npz(**arrays)
    with pytest.raises(ValueError, match="labels up to 2"):
        download("own", folder=tmp_path, progress=False, registry=registry_of(server, tmp_path))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "flymnist"}, "No set 'flymnist'.*bloodmnist"),
        ({"name": "bloodmnist", "size": 30}, "no images of 30 pixels.*'28'"),
        ({"name": "bloodmnist", "split": "valid"}, "split='valid'"),
        ({"name": "bloodmnist", "n": 0}, "n=0"),
    ],
)
def test_wrong_arguments_are_refused_before_any_request(wrong, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        download(**{"folder": tmp_path, **wrong})
