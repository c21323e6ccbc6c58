"""Small files as other programs write them, with known contents, and ways to damage them: for tests and studies."""

from __future__ import annotations

import gzip
import io
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

SIDE = 128
CHANNELS = ("DNA", "ER")
IN_CARTA = [
    "OBJECT ID", "Row", "Column", "FOV", "WELL LABEL", "Z", "T", "Class Name", "Class Color", "Ancestry Path",
    "Nuclei Max left border wv1", "Nuclei Max top border wv1", "Nuclei Max width wv1", "Nuclei Max height wv1",
    "Nuclei Area wv1", "Nuclei Intensity wv1", "Nuclei cg X wv1", "Nuclei cg Y wv1", "Cells Area wv2",
    "Slice Algorithm", "Slice Indicator", "Acquisition Time Stamp", "Plate ID",
]  # fmt: skip


def write_analysis(folder: Path, *, n_images: int = 2, n_cells: int = 5, seed: int = 0) -> pd.DataFrame:
    """Write TIFFs and CellProfiler's CSV files of them, and return the truth: one row per cell.

    Nuclei are squares whose grey value in DNA is 1000 · image + number of the nucleus. Numbers of cells and nuclei
    differ; in each image the last nucleus has no cell, and the first cell has no cytoplasm but two foci.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    images, nuclei, cells, cytoplasm, foci, truth = [], [], [], [], [], []
    for image in range(1, n_images + 1):
        places = rng.permutation(36)[: n_cells + 1]
        centres = np.column_stack([places // 6, places % 6]) * 20 + rng.integers(10, 16, (n_cells + 1, 2))
        pixels = _draw(folder, image, centres)
        numbers = rng.permutation(n_cells) + 1
        for nucleus, (y, x) in enumerate(centres, 1):
            nuclei.append([image, nucleus, 49, x, y, x - 3, y - 3, x + 4, y + 4, pixels[y, x] / 65535])
        for cell, nucleus in enumerate(numbers, 1):
            y, x = centres[nucleus - 1]
            cells.append([image, cell, 121 + cell, x + 1, y - 1, x - 5, y - 5, x + 6, y + 6, 0.25, nucleus])
            truth.append([image, cell, nucleus, y, x, 121 + cell])
            if cell > 1:
                cytoplasm.append([image, len(cytoplasm) + 1, 72, cell, nucleus])
        foci += [[image, 1, 4, 1], [image, 2, 5, 1], [image, 3, 6, 2]]
        files = [f"image{image}_{c}.tif" for c in CHANNELS]
        images.append([image, "plate1", f"A0{image}", "001", *files, *["/nowhere/images"] * 2, SIDE, SIDE, "o.png"])
    box = [f"AreaShape_BoundingBox{end}_{axis}" for end in ("Minimum", "Maximum") for axis in "XY"]
    measured = ["AreaShape_Area", "Location_Center_X", "Location_Center_Y", *box, "Intensity_MaxIntensity_DNA"]
    keys = ["ImageNumber", "ObjectNumber"]
    metadata = ["ImageNumber", "Metadata_Plate", "Metadata_Well", "Metadata_Site"]
    named = [f"{kind}_{c}" for kind in ("FileName", "PathName", "Width") for c in CHANNELS]
    tables = {
        "Nuclei": pd.DataFrame(nuclei, columns=[*keys, *measured]),
        "Cells": pd.DataFrame(cells, columns=[*keys, *measured, "Parent_Nuclei"]),
        "Cytoplasm": pd.DataFrame(cytoplasm, columns=[*keys, "AreaShape_Area", "Parent_Cells", "Parent_Nuclei"]),
        "Foci": pd.DataFrame(foci, columns=[*keys, "AreaShape_Area", "Parent_Cells"]),
        "Image": pd.DataFrame(images, columns=[*metadata, *named, "FileName_Overlay"]),
    }
    for name, table in tables.items():
        if name != "Image":
            table.insert(2, "Number_Object_Number", table["ObjectNumber"])
        table.to_csv(folder / f"{name}.csv", index=False)
    (folder / "Experiment.csv").write_text(f"Key,Value\nPipeline_Pipeline,{'x' * 200_000}\n")
    return pd.DataFrame(truth, columns=["image", "cell", "nucleus", "y", "x", "area"])


def _draw(folder: Path, image: int, centres: np.ndarray) -> np.ndarray:
    pixels = np.full((len(CHANNELS), SIDE, SIDE), 100, np.uint16)
    for number, (y, x) in enumerate(centres, 1):
        pixels[0, y - 3 : y + 4, x - 3 : x + 4] = 1000 * image + number
    for channel, plane in zip(CHANNELS, pixels, strict=True):
        tifffile.imwrite(folder / f"image{image}_{channel}.tif", plane)
    labels = np.zeros((SIDE, SIDE), np.uint16)
    labels[pixels[0] > 100] = pixels[0][pixels[0] > 100] - 1000 * image
    (folder / "nuclei").mkdir(exist_ok=True)
    tifffile.imwrite(folder / "nuclei" / f"image{image}_DNA_labels.tif", labels)
    return pixels[0]


def write_combined(folder: Path, to: Path) -> None:
    """Write the tables of an analysis as ExportToSpreadsheet's one file of several objects, and Image.csv beside it."""
    to.mkdir(parents=True, exist_ok=True)
    cells, nuclei = (pd.read_csv(folder / f"{n}.csv") for n in ("Cells", "Nuclei"))
    both = cells.merge(nuclei, left_on=["ImageNumber", "Parent_Nuclei"], right_on=["ImageNumber", "ObjectNumber"])
    own = [c for c in cells if c not in ("ImageNumber", "ObjectNumber")]
    other = [c for c in nuclei if c not in ("ImageNumber", "ObjectNumber")]
    first = ["Image", "Cells", *["Cells"] * len(own), *["Nuclei"] * len(other)]
    second = ["ImageNumber", "ObjectNumber", *own, *other]
    columns = [
        "ImageNumber",
        "ObjectNumber_x",
        *[f"{c}_x" if c in other else c for c in own],
        *[f"{c}_y" for c in other],
    ]
    rows = both[columns].to_csv(index=False, header=False)
    (to / "object.csv").write_text(f"{','.join(first)}\n{','.join(second)}\n{rows}")
    (to / "Image.csv").write_bytes((folder / "Image.csv").read_bytes())


def write_database(folder: Path, file: Path, kind: str = "per_table") -> None:
    """Write the tables of an analysis as SQLite.

    "per_table": ExportToDatabase with a table per object; "cytominer": cytominer-database, two exports in one file;
    "per_object": ExportToDatabase with one table of all objects.
    """
    tables = {n: pd.read_csv(folder / f"{n}.csv") for n in ("Cells", "Nuclei", "Cytoplasm", "Image")}
    with closing(sqlite3.connect(file)) as connection:
        if kind == "per_object":
            merged = _all_objects(tables)
            merged.to_sql("MyExpt_Per_Object", connection, index=False)
            _prefixed(tables["Image"], "Image").to_sql("MyExpt_Per_Image", connection, index=False)
            return
        for name, table in tables.items():
            made = _prefixed(table, name)
            if kind == "per_table":
                if name != "Image":
                    made = made.drop(columns="ObjectNumber")
                made.to_sql(f"Per_{name}", connection, index=False)
            else:
                for number in (2**61 + 1, 2**61 + 3):
                    part = made.assign(TableNumber=number)
                    part.to_sql(name, connection, index=False, if_exists="append")
        connection.commit()


def _prefixed(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table.rename(columns={c: f"{name}_{c}" for c in table if c not in ("ImageNumber", "ObjectNumber")})


def _all_objects(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    cells, nuclei = _prefixed(tables["Cells"], "Cells"), _prefixed(tables["Nuclei"], "Nuclei")
    keys = ["ImageNumber", "Cells_Parent_Nuclei"]
    merged = cells.merge(nuclei, left_on=keys, right_on=["ImageNumber", "ObjectNumber"], suffixes=("", "_nuclei"))
    return merged.drop(columns="ObjectNumber_nuclei")


def in_carta_table() -> pd.DataFrame:
    """Return three objects as In-Carta exports them; the number of an object begins anew in every field."""
    rows = [
        [1, "C", 3, fov, "C - 3", 1, 1, None, None, None, 10, 20, 5, 7, 68.5, 25592.8, 4.0, 446.0, 900.0,
         "CurrentSlice", "Yes", 12.5, "2023-05-06 DAY3"]
        for fov in (1, 2, 3)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=IN_CARTA)


def write_deepprofiler(folder: Path, *, objects: str = "metadata") -> None:
    """Write a project of DeepProfiler: features of two sites under outputs, the index under inputs."""
    features = folder / "outputs" / "run" / "features"
    rng = np.random.default_rng(0)
    rows = []
    for site in (1, 2):
        target = features / "SQ1" / "A01"
        target.mkdir(parents=True, exist_ok=True)
        arrays = {
            "features": rng.normal(size=(3, 4)).astype(np.float32),
            "locations": np.array([[10.0, 20.0], [11, 21], [12, 22]]),
            "metadata": np.array({"Metadata_Plate": "SQ1", "Metadata_Model": "efficientnet"}, dtype=object),
        }
        if objects == "features":
            arrays["features"] = arrays["features"].astype(object)
        np.savez_compressed(target / f"{site}.npz", **arrays)
        rows.append(["SQ1", "A01", site, "DMSO", f"SQ1/f{site}.png"])
    index = folder / "inputs" / "metadata"
    index.mkdir(parents=True, exist_ok=True)
    columns = ["Metadata_Plate", "Metadata_Well", "Metadata_Site", "Treatment", "DNA"]
    pd.DataFrame(rows, columns=columns).to_csv(index / "index.csv", index=False)


def profiles_table(n: int = 12) -> pd.DataFrame:
    """Return profiles of cells as CytoTable names them."""
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "Metadata_ImageNumber": np.repeat([1, 2], n // 2),
            "Metadata_ObjectNumber": np.tile(np.arange(1, n // 2 + 1), 2),
            "Image_Metadata_Plate": "p1",
            "Image_Metadata_Well": np.repeat(["A01", "A02"], n // 2),
            "Metadata_Nuclei_Location_Center_X": rng.uniform(0, 100, n),
            "Metadata_Nuclei_Location_Center_Y": rng.uniform(0, 100, n),
            "Metadata_Cytoplasm_Parent_Cells": np.tile(np.arange(1, n // 2 + 1), 2),
            "Cells_AreaShape_Area": rng.normal(100, 9, n),
            "Nuclei_Intensity_MeanIntensity_DNA": rng.normal(0.2, 0.01, n),
            "Cells_Location_CenterMassIntensity_X_DNA": rng.normal(0.2, 0.01, n),
        }
    )


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a file cut short, with bits turned, pieces doubled, zeroed or put elsewhere."""
    kind = rng.integers(6)
    data = bytearray(content)
    start, end = sorted(rng.integers(0, len(data) + 1, 2))
    if kind == 0:
        return bytes(data[:start])
    if kind == 1:
        for place in rng.integers(0, len(data), rng.integers(1, 20)):
            data[place] ^= 1 << int(rng.integers(8))
        return bytes(data)
    if kind == 2:
        return bytes(data[:end] + data[start:])
    if kind == 3:
        return bytes(data[:start] + data[end:])
    if kind == 4:
        data[start:end] = bytes(end - start)
        return bytes(data)
    place = int(rng.integers(0, max(1, min(len(data) - 8, 4096))))
    data[place : place + 8] = rng.integers(0, 256, 8, dtype=np.uint8).tobytes()
    return bytes(data)


def odd_csv() -> Iterator[tuple[str, bytes]]:
    """Yield CSV files that are wrong in ways that damage does not find."""
    yield "empty", b""
    yield "only spaces", b"  \n\n"
    yield "only names", b"ImageNumber,ObjectNumber,AreaShape_Area\n"
    yield "binary", b"\x00\x01\x02" * 100
    yield "UTF-16", "ImageNumber,ObjectNumber\n1,1\n".encode("utf-16")
    yield "no numbers", b"ImageNumber,ObjectNumber,AreaShape_Area\n1,x,3\n"
    yield "twice", b"ImageNumber,ObjectNumber,AreaShape_Area\n1,1,3\n1,1,4\n"
    yield "cut short", b"ImageNumber,ObjectNumber,AreaShape_Area\n1,1,3\n1,2"
    yield "a quote", b'ImageNumber,ObjectNumber,AreaShape_Area\n1,"1,3\n1,2,4\n'
    yield "a million columns", b",".join(b"AreaShape_%d" % i for i in range(1_000_000)) + b"\n"
    yield "huge numbers", b"ImageNumber,ObjectNumber,AreaShape_Area\n1e300,1,3\n"
    yield "infinite", b"ImageNumber,ObjectNumber,AreaShape_Area\n1,1,inf\n1,2,-inf\n1,3,nan\n"
    yield "mixed", b"ImageNumber,ObjectNumber,AreaShape_Area\n1,1,3\n1,2,round\n1,3,4\n"
    yield "one long name", b"A" * 40_000_000 + b"\n1\n"
    yield "formula", b"ImageNumber,ObjectNumber,AreaShape_Area\n1,1,\"=cmd|' /C calc'!A0\"\n"


def gzip_bomb(megabytes: int = 2000) -> bytes:
    """Return a gzip file of zeros that unpacks to so many MB."""
    one = gzip.compress(b"0" * 2**20, mtime=0)
    return one * megabytes


def hostile_npz() -> Iterator[tuple[str, bytes]]:
    """Yield npz files that claim, climb or carry what they should not."""

    def archive(name: str, content: bytes) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr(name, content)
        return buffer.getvalue()

    def header(shape: str, kind: str) -> bytes:
        text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()

    yield "climbs", archive("../../climbed.npy", header("(2, 2)", "<f8") + bytes(32))
    yield "claims", archive("features.npy", header("(1000000000000, 8)", "<f8"))
    yield "claims in circles", archive("features.npy", header("(9223372036854775807, 9223372036854775807)", "<f8"))
    yield "negative", archive("features.npy", header("(-4, 2)", "<f8"))
    yield "objects", archive("features.npy", header("(2, 2)", "|O") + b"cos\nsystem\n(S'touch pwned'\ntR.")
    yield "bomb", archive("features.npy", header("(40000000, 8)", "<f8") + bytes(8 * 40_000_000))
    yield "not numbers", archive("features.npy", header("(2, 2)", "<U4") + bytes(64))
    yield "no archive", b"PK\x03\x04" + bytes(100)


def hostile_databases(folder: Path) -> Iterator[tuple[str, Path]]:
    """Write SQLite files whose views never end, or whose columns compute too much."""
    rows = "WITH RECURSIVE n(ImageNumber) AS (SELECT 1 UNION ALL SELECT ImageNumber + 1 FROM n)"
    made = {
        "endless view": f"CREATE VIEW Per_Object AS {rows} SELECT ImageNumber, 1 AS ObjectNumber FROM n",
        "computed column": "CREATE TABLE Per_Object (ImageNumber INT, ObjectNumber INT, Cells_AreaShape_Area FLOAT, "
        "Cells_Big AS (zeroblob(900000000)))",
        "name": 'CREATE TABLE Per_Cells ("ImageNumber" INT, "ObjectNumber" INT, "a""; DROP TABLE Per_Cells; --" FLOAT)',
        "only another table": "CREATE TABLE notes (text TEXT)",
    }
    for name, statement in made.items():
        file = folder / f"{name.replace(' ', '_')}.sqlite"
        with closing(sqlite3.connect(file)) as connection:
            connection.execute(statement)
            if statement.startswith("CREATE TABLE Per_"):
                table = "Per_Object" if "Per_Object" in statement else "Per_Cells"
                connection.execute(f"INSERT INTO {table} VALUES (1, 1, 5.0)")
            connection.commit()
        yield name, file


def hostile_parquet(folder: Path, n_millions: int = 400) -> Iterator[tuple[str, Path]]:
    """Write Parquet files that hold one number, again and again, in next to no bytes."""
    import pyarrow as pa
    from pyarrow import parquet

    file = folder / "again.parquet"
    one = pa.DictionaryArray.from_arrays(pa.array(np.zeros(2_000_000, np.int8)), pa.array([1.5]))
    with parquet.ParquetWriter(file, pa.schema([("Cells_A", one.type)]), compression="zstd") as writer:
        for _ in range(n_millions // 2):
            writer.write_table(pa.table({"Cells_A": one}))
    yield f"{n_millions} million rows of one number", file
