"""Image files, whole, damaged at random, and made to do harm; and what readers make of them."""

import json
import signal
import struct
import warnings
import zipfile
import zlib
from contextlib import contextmanager

import h5py
import numpy as np
import pandas as pd
import tifffile
import zarr
from PIL import Image

import mlscope_nb as ms

SECONDS = 30


class TooSlow(BaseException):
    """Raised by the alarm; no reader may catch it."""


@contextmanager
def alarm(seconds):
    def ring(*_):
        raise TooSlow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def noise(*shape, dtype=np.uint16):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


def consume(found):
    """Read every pixel, because lazy ones are read when they are asked for."""
    if isinstance(found, ms.Fields):
        return [int(np.asarray(part).size) for stack in (found.images, found.masks or ()) for part in stack]
    return [int(np.asarray(batch.images).size) for batch in found.batches(64)]


def fields(path):
    return consume(ms.io.read_fields(path, projection="max", frame=0))


def every_frame(path):
    return consume(ms.io.read_fields(path, projection="mean", frame="all", keep_mb=0))


def with_masks(path):
    image = path.parent / f"{path.name.split('_')[0]}.tif"
    return consume(ms.io.read_fields(image, masks=path))


def with_layout(path):
    return consume(ms.io.read_fields(path.parent / "b.tif", metadata=path))


def omezarr(path):
    return consume(ms.io.read_omezarr(path, projection="max", frame=0))


def crops(path):
    return consume(ms.io.read_crops(path))


def medmnist(path):
    return consume(ms.io.read_medmnist(path))


def single_cells(path):
    return consume(ms.io.read_h5sc(path))


def recognised(path):
    return str(ms.io.recognise(path)) and ms.io.recognise(path).to_dict() and 1


def whole(folder):
    """Write good files of every kind: name → (path, reader)."""
    found = {}

    def add(name, path, *readers):
        for reader in (*readers, recognised):
            found[f"{name}, {reader.__name__}"] = (path, reader)

    image = noise(2, 24, 32)
    for name, options in (
        ("tiff", {}),
        ("tiff, deflate", {"compression": "zlib"}),
        ("tiff, tiles", {"tile": (16, 16), "compression": "zlib"}),
        ("bigtiff", {"bigtiff": True}),
    ):
        path = folder / f"{name.replace(', ', '-')}.tif"
        tifffile.imwrite(path, image, photometric="minisblack", **options)
        add(name, path, fields)
    Image.fromarray(noise(24, 32, dtype=np.uint8)).save(folder / "lzw.tif", compression="tiff_lzw")
    add("tiff, lzw", folder / "lzw.tif", fields)
    tifffile.imwrite(folder / "m.ome.tif", noise(3, 2, 2, 16, 20), metadata={"axes": "TZCYX", "PhysicalSizeX": 0.3})
    add("ome-tiff", folder / "m.ome.tif", fields, every_frame)
    tifffile.imwrite(folder / "ij.tif", noise(3, 2, 2, 16, 20), imagej=True, metadata={"axes": "TZCYX"})
    add("imagej", folder / "ij.tif", fields, every_frame)
    for ending in ("png", "jpg", "bmp", "gif", "webp"):
        Image.fromarray(noise(24, 32, 3, dtype=np.uint8)).save(folder / f"a.{ending}")
        add(ending, folder / f"a.{ending}", fields)
    Image.fromarray(noise(24, 32)).save(folder / "deep.png")
    add("png, 16 bits", folder / "deep.png", fields)
    tifffile.imwrite(folder / "b.tif", noise(16, 20))
    labels = np.kron(np.arange(20).reshape(4, 5), np.ones((4, 4), int)).astype(np.uint16)
    np.save(folder / "b_mask.npy", labels)
    found["npy, with_masks"] = (folder / "b_mask.npy", with_masks)
    (folder / "b_layout.csv").write_text("file;well;dose\nb.tif;A01;0,5\n")
    found["csv, with_layout"] = (folder / "b_layout.csv", with_layout)
    np.savez_compressed(folder / "c.npz", images=noise(5, 2, 12, 12), labels=np.arange(5), channels=["a", "b"])
    add("npz", folder / "c.npz", crops)
    parts = {f"{p}_images": noise(4, 14, 14, 3, dtype=np.uint8) for p in ("train", "val", "test")}
    np.savez(folder / "d.npz", **parts, **{f"{p}_labels": np.zeros((4, 1), np.uint8) for p in ("train", "val", "test")})
    add("medmnist", folder / "d.npz", medmnist)
    _h5sc(folder / "e.h5sc")
    add("h5sc", folder / "e.h5sc", single_cells)
    for version in ("0.4", "0.5"):
        for name, path in _zarrs(folder, version).items():
            add(f"{name} {version}", path, omezarr)
    return found


def _h5sc(path, shape=(6, 4, 10, 10)):
    import anndata

    n, c = shape[:2]
    var = pd.DataFrame({"channels": [f"c{i}" for i in range(c)]}, index=[str(i) for i in range(c)])
    obs = pd.DataFrame({"scportrait_cell_id": np.arange(n)}, index=[str(i) for i in range(n)])
    anndata.AnnData(obs=obs, var=var).write_h5ad(path)
    with h5py.File(path, "a") as file:
        file.require_group("obsm")
        data = np.random.default_rng(0).random(shape).astype(np.float16)
        held = file.create_dataset("obsm/single_cell_images", data=data, chunks=(1, 1, *shape[2:]), compression="lzf")
        held.attrs["n_masks"] = 2


def _zarrs(folder, version):
    obs = pd.DataFrame({"plate": "p", "well": ["A01", "A01", "B02"]}, index=list("xyz"))
    masks = [noise(24, 32, dtype=np.uint8).astype(np.int32) % 5 for _ in range(3)]
    study = ms.Fields(obs, [noise(2, 24, 32) for _ in range(3)], masks, channels=["a", "b"], pixel_size_um=0.3)
    written = ms.io.write_omezarr(study, folder / f"own{version}.zarr", version=version)
    other = ms.io.write_omezarr(study, folder / f"plate{version}.zarr", version=version)
    # without the notes of mlscope it is the plate of another tool
    about = other / ("zarr.json" if version == "0.5" else ".zattrs")
    content = json.loads(about.read_text())
    (content["attributes"] if version == "0.5" else content).pop("mlscope")
    about.write_text(json.dumps(content))
    return {"omezarr": other, "omezarr of mlscope": written}


def spoil(path, seed):
    """Damage a file, or one file of a store, in place; return what was done."""
    rng = np.random.default_rng(seed)
    file = path
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        # descriptions are fewer than pieces, and more can go wrong with them
        told = [p for p in files if p.name in ("zarr.json", ".zattrs", ".zarray", ".zgroup")]
        pool = told if rng.random() < 0.7 else files
        file = pool[rng.integers(len(pool))]
    data = bytearray(file.read_bytes())
    kind = rng.choice(["cut", "flip", "flip many", "zeros", "noise", "swap", "number", "grow", "empty"])
    n = max(len(data), 1)
    at = int(rng.integers(n))
    if kind == "cut":
        data = data[:at]
    elif kind.startswith("flip"):
        for place in rng.integers(n, size=1 if kind == "flip" else 1 + n // 50):
            if len(data):
                data[place] ^= 1 << int(rng.integers(8))
    elif kind in ("zeros", "noise"):
        size = int(rng.integers(1, 64))
        data[at : at + size] = bytes(size) if kind == "zeros" else rng.bytes(size)
    elif kind == "swap":
        other = int(rng.integers(n))
        data[at : at + 16], data[other : other + 16] = data[other : other + 16], data[at : at + 16]
    elif kind == "number":
        size = int(rng.choice([2, 4, 8]))
        values = [0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63]
        value = int(values[rng.integers(len(values))]) % 2 ** (8 * size)
        data[at : at + size] = value.to_bytes(size, "little" if rng.random() < 0.8 else "big")
    elif kind == "grow":
        data[at:at] = rng.bytes(int(rng.integers(1, 200)))
    else:
        data = bytearray()
    file.write_bytes(bytes(data))
    return str(kind)


def outcome(path, reader, seconds=SECONDS):
    """Return "read", "refused", or what went wrong; the file's name has to stand in a refusal."""
    try:
        with alarm(seconds), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader(path)
    except (ValueError, OSError) as error:
        named = path.name in str(error) or path.stem in str(error)
        return "refused" if named else f"does not name the file: {str(error)[:300]}"
    except TooSlow:
        return f"longer than {seconds} s"
    except Exception as error:  # noqa: BLE001 whatever else comes out is what is looked for
        return f"{type(error).__name__}: {str(error)[:300]}"
    return "read"


def hostile(folder):
    """Write files that are made to do harm: name → (path, reader). Nothing of them may be read as an image."""
    found = {}

    def add(name, path, reader):
        found[name] = (path, reader)

    _npz_bomb(folder / "bomb.npz", (1, 1, 20_000, 16_000), 0)
    add("npz, 320 MB of zeros in 0.3 MB", folder / "bomb.npz", crops)
    _npz_bomb(folder / "claim.npz", (10**6, 3, 10**4, 10**4), 10)
    add("npz, shape of 300 TB", folder / "claim.npz", crops)
    np.savez(folder / "pickle.npz", images=np.array([{"a": 1}], dtype=object))
    add("npz, pickle", folder / "pickle.npz", crops)
    with zipfile.ZipFile(folder / "path.npz", "w") as archive:
        archive.writestr("../../escaped.npy", b"x")
        archive.writestr("/escaped.npy", b"x")
    add("npz, names that lead out", folder / "path.npz", crops)
    (folder / "x.tif").write_bytes(_tiff(2**31 - 1, 2**31 - 1))
    add("tiff, 2³¹ × 2³¹ pixels", folder / "x.tif", fields)
    (folder / "strip.tif").write_bytes(_tiff(40_000, 40_000, zlib.compress(bytes(10**7), 9)))
    add("tiff, 1.6 GB in 10 kB", folder / "strip.tif", fields)
    (folder / "small.tif").write_bytes(_tiff(1000, 1000, _zeros(300, 15)))
    add("tiff, a strip of 1 MB that becomes 3 GB", folder / "small.tif", fields)
    (folder / "loop.tif").write_bytes(_tiff(4, 4, loop=True))
    add("tiff, pages in a circle", folder / "loop.tif", fields)
    laughs = "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>" + "".join(
        f"<!ENTITY {chr(98 + i)} '{f'&{chr(97 + i)};' * 10}'>" for i in range(12)
    )
    tifffile.imwrite(
        folder / "laughs.ome.tif", noise(8, 9), metadata=None, description=f"{laughs}]><OME>&m;</OME>".encode()
    )
    add("ome-tiff, a billion laughs", folder / "laughs.ome.tif", fields)
    for name, text in {
        "planes": '<TiffData IFD="0" PlaneCount="999999999"/>',
        "sizes": '<TiffData IFD="0" PlaneCount="2"/>',
        "elsewhere": '<TiffData IFD="0" PlaneCount="1"><UUID FileName="../../x.tif">urn:uuid:1</UUID></TiffData>',
    }.items():
        path = folder / f"{name}.ome.tif"
        size = 999_999_999 if name == "sizes" else 2
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
            f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="9" SizeY="8" '
            f'SizeC="1" SizeZ="{size}" SizeT="1"><Channel ID="Channel:0:0"/>{text}</Pixels></Image></OME>'
        )
        tifffile.imwrite(path, noise(2, 8, 9), metadata=None, description=xml.encode(), photometric="minisblack")
        add(f"ome-tiff, {name}", path, fields)
    _png_bomb(folder / "bomb.png")
    add("png, 50,000 × 50,000", folder / "bomb.png", fields)
    np.save(folder / "b_mask.npy", noise(4, 4))
    data = (folder / "b_mask.npy").read_bytes().replace(b"(4, 4), }", b"(99999, 99999)")
    (folder / "b_mask.npy").write_bytes(data[:128].replace(b"99999)", b"99999,)}")[:128] + data[128:])
    tifffile.imwrite(folder / "b.tif", noise(4, 4))
    add("npy, shape of 20 GB", folder / "b_mask.npy", with_masks)
    (folder / "wide.csv").write_text(
        f"{','.join(f'c{i}' for i in range(10**6))}\n{','.join('1' for _ in range(10**6))}\n"
    )
    add("csv, a million columns", folder / "wide.csv", with_layout)
    for name, change in _zarr_attacks().items():
        path = folder / f"{name.replace(' ', '-')}.zarr"
        _zarr_image(path)
        change(path)
        add(f"zarr, {name}", path, omezarr)
    _h5_attacks(folder, add)
    return found


def _npz_bomb(path, shape, written):
    header = np.lib.format.header_data_from_array_1_0(np.zeros(1, np.uint8)) | {"shape": shape}
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("images.npy", "w", force_zip64=True) as stream,
    ):
        np.lib.format.write_array_header_1_0(stream, header)
        size = written or int(np.prod(shape))
        for _ in range(size // 10**7):
            stream.write(bytes(10**7))
        stream.write(bytes(size % 10**7))


def _zeros(times, wbits):
    """Return a stream that becomes `times` × 10 MB of zeros: one packed block again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    start = packer.compress(bytes(10**7)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(10**7)) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + block * (times - 1) + packer.flush()


def _tiff(width, height, strip=b"\0" * 16, *, loop=False):
    """Return a little TIFF of one strip that says what it likes of itself."""
    compression = 8 if strip[:1] == b"x" else 1
    entries = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, compression), (262, 3, 1), (273, 4, 200),
               (277, 3, 1), (278, 4, height), (279, 4, len(strip))]  # fmt: skip
    packed = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + packed + struct.pack("<I", 8 if loop else 0)
    return head.ljust(200, b"\0") + strip


def _png_bomb(path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(bytes(50_001)) for _ in range(2_000)) + packer.flush()
    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))


def _zarr_image(path):
    group = zarr.open_group(str(path), mode="w", zarr_format=2)
    group.create_array(
        "0", data=noise(16, 20), chunks=(16, 20), compressors=[{"id": "gzip", "level": 1}], chunk_key_encoding={
            "name": "v2", "separator": "."},
    )  # fmt: skip
    scale = {"axes": [{"name": a, "type": "space"} for a in "yx"], "datasets": [{"path": "0"}], "version": "0.4"}
    group.attrs["multiscales"] = [scale]


def _zarr_attacks():
    def meta(**values):
        def change(path):
            file = path / "0" / ".zarray"
            file.write_text(json.dumps(json.loads(file.read_text()) | values))

        return change

    def bomb(path):
        (path / "0" / "0.0").write_bytes(_zeros(400, 31))

    def blosc(path):
        meta(compressor={"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0})(path)
        (path / "0" / "0.0").write_bytes(struct.pack("<BBBBIII", 2, 1, 33, 2, 2**31 - 17, 2**31 - 17, 60) + bytes(60))

    def deep(path):
        (path / ".zattrs").write_text('{"multiscales": ' + "[" * 200_000 + "]" * 200_000 + "}")

    def long(path):
        (path / ".zattrs").write_text('{"multiscales": [' + "0," * 15_000_000 + "0]}")

    return {
        "shape of 10 to the 24": meta(shape=[10**12, 10**12]),
        "chunk of 10 to the 12": meta(chunks=[10**6, 10**6], shape=[10**6, 10**6]),
        "negative shape": meta(shape=[-1, 20]),
        "4 GB in one chunk": bomb,
        "blosc that says 2 GB": blosc,
        "brackets 200,000 deep": deep,
        "30 MB of description": long,
        "pickle": meta(filters=[{"id": "pickle", "protocol": 5}]),
        "objects": meta(dtype="|O", filters=[{"id": "pickle", "protocol": 5}]),
    }


def _h5_attacks(folder, add):
    _h5sc(folder / "target.h5sc")
    for name in ("external link", "external storage", "virtual", "huge", "never written"):
        path = folder / f"{name.replace(' ', '-')}.h5sc"
        _h5sc(path)
        with h5py.File(path, "a") as file:
            del file["obsm/single_cell_images"]
            if name == "external link":
                file["obsm/single_cell_images"] = h5py.ExternalLink("target.h5sc", "obsm/single_cell_images")
            elif name == "external storage":
                (folder / "raw.bin").write_bytes(bytes(2400))
                file.create_dataset(
                    "obsm/single_cell_images", (6, 4, 10, 10), np.uint8, external=[("raw.bin", 0, 2400)]
                )
            elif name == "virtual":
                layout = h5py.VirtualLayout((6, 4, 10, 10), np.float16)
                layout[:] = h5py.VirtualSource("target.h5sc", "obsm/single_cell_images", (6, 4, 10, 10))
                file.create_virtual_dataset("obsm/single_cell_images", layout)
            elif name == "huge":
                big = (6, 4, 30_000, 30_000)
                packed = {"chunks": (1, 1, 30_000, 30_000), "compression": "gzip"}
                held = file.create_dataset("obsm/single_cell_images", big, np.uint16, **packed)
                held.id.write_direct_chunk((0, 0, 0, 0), zlib.compress(bytes(1000)))
            else:
                file.create_dataset("obsm/single_cell_images", (6, 4, 10, 10), np.uint16, chunks=(1, 1, 10, 10))
        add(f"h5sc, {name}", path, single_cells)
