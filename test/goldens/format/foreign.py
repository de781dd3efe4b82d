"""Makes the files of other writers in parquet/ and ipc/: Arrow C++ (pyarrow), polars and fastparquet.

    pip install pyarrow polars fastparquet && python foreign.py

The files named v0.7.1* and v0.17.0* are test files of pyarrow (Apache-2.0), written by releases of 2017 and 2020.
"""
import datetime as dt
import decimal
import os
import shutil

import fastparquet
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

here = os.path.dirname(os.path.abspath(__file__))
parquet = lambda name: os.path.join(here, "parquet", name + ".parquet")
ipc = lambda name: os.path.join(here, "ipc", name)

data = os.path.join(os.path.dirname(pa.__file__), "tests", "data")
for name in sorted(os.listdir(os.path.join(data, "parquet"))):
    if name.endswith(".parquet"):
        shutil.copy(os.path.join(data, "parquet", name), os.path.join(here, "parquet", name))
for name in os.listdir(os.path.join(data, "feather")):
    shutil.copy(os.path.join(data, "feather", name), ipc(name))

N = 60
each = lambda f, every=4: [None if every and i % every == 0 else f(i) for i in range(N)]
flat = pa.table(
    {
        "i8": pa.array(each(lambda i: i - 30), pa.int8()),
        "u16": pa.array(each(lambda i: i * 1000), pa.uint16()),
        "i32": pa.array([i * 7 - 100 for i in range(N)], pa.int32()),
        "u32": pa.array([4294967295 - i for i in range(N)], pa.uint32()),
        "i64": pa.array(each(lambda i: (1 << 62) - i), pa.int64()),
        "u64": pa.array(each(lambda i: (1 << 64) - 1 - i), pa.uint64()),
        "f32": pa.array(each(lambda i: i / 7), pa.float32()),
        "f64": pa.array([i / 3 for i in range(N)], pa.float64()),
        "b": pa.array(each(lambda i: i % 3 == 0), pa.bool_()),
        "t": pa.array(each(lambda i: "grün " * (i % 5) + str(i)), pa.string()),
        "same": pa.array(["word %d" % (i % 3) for i in range(N)], pa.string()),
        "lt": pa.array(each(lambda i: "large %d" % i), pa.large_string()),
        "bin": pa.array(each(lambda i: bytes([i, 0, 255])), pa.binary()),
        "fsb": pa.array(each(lambda i: bytes([i] * 5)), pa.binary(5)),
        "d32": pa.array(each(lambda i: dt.date(1969, 12, 1) + dt.timedelta(i)), pa.date32()),
        "ts_ms": pa.array(each(lambda i: i * 86400001 - 10**12), pa.timestamp("ms")),
        "ts_us": pa.array(each(lambda i: i * 86400000001), pa.timestamp("us", "UTC")),
        "t_ms": pa.array(each(lambda i: i * 1001), pa.time32("ms")),
        "t_us": pa.array(each(lambda i: i * 1000001), pa.time64("us")),
        "dec9": pa.array(each(lambda i: decimal.Decimal(i * 101 - 3000) / 100), pa.decimal128(9, 2)),
        "dec18": pa.array(each(lambda i: decimal.Decimal(-i) / 1000), pa.decimal128(18, 3)),
        "dec38": pa.array(each(lambda i: decimal.Decimal(10**30 + i)), pa.decimal128(38, 0)),
    }
)
nested = pa.table(
    {
        "l": pa.array(each(lambda i: list(range(i % 4))), pa.list_(pa.int32())),
        "ln": pa.array(each(lambda i: [None, i][: i % 3]), pa.list_(pa.int64())),
        "ll": pa.array(each(lambda i: [["y"], [], None, [None, "x%d" % i]][: i % 5]), pa.list_(pa.list_(pa.string()))),
        "s": pa.array(each(lambda i: {"a": i, "b": None if i % 3 else {"c": "c%d" % i}}), pa.struct([("a", pa.int32()), ("b", pa.struct([("c", pa.string())]))])),
        "ls": pa.array(each(lambda i: [{"x": i, "y": [i, None]}, None][: i % 3]), pa.list_(pa.struct([("x", pa.int16()), ("y", pa.list_(pa.float64()))]))),
        "m": pa.array(each(lambda i: [("k%d" % j, j if j else None) for j in range(i % 3)]), pa.map_(pa.string(), pa.int32())),
        "lm": pa.array(each(lambda i: [[("a", i)], []][: i % 3]), pa.list_(pa.map_(pa.string(), pa.int64()))),
        "all_null": pa.array([None] * N, pa.list_(pa.struct([("q", pa.int8())]))),
    }
)
for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
    pq.write_table(flat, parquet("pyarrow-" + codec), compression=codec, row_group_size=25)
pq.write_table(flat, parquet("pyarrow-v1"), version="1.0", use_dictionary=False)
pq.write_table(flat, parquet("pyarrow-pages"), data_page_version="2.0", data_page_size=64, write_batch_size=7, write_page_index=True, write_page_checksum=True)
pq.write_table(flat, parquet("pyarrow-int96"), use_deprecated_int96_timestamps=True, store_schema=False)
delta = {"i32": "DELTA_BINARY_PACKED", "u32": "DELTA_BINARY_PACKED", "i64": "DELTA_BINARY_PACKED", "u64": "DELTA_BINARY_PACKED", "t": "DELTA_BYTE_ARRAY", "same": "DELTA_LENGTH_BYTE_ARRAY", "fsb": "DELTA_BYTE_ARRAY", "f32": "BYTE_STREAM_SPLIT", "f64": "BYTE_STREAM_SPLIT", "b": "RLE"}
pq.write_table(flat, parquet("pyarrow-encodings"), use_dictionary=False, column_encoding=delta, data_page_version="2.0", version="2.6")
pq.write_table(flat, parquet("pyarrow-split"), use_dictionary=False, column_encoding={k: "BYTE_STREAM_SPLIT" for k in ["i32", "u32", "i64", "u64", "f32", "f64", "fsb", "dec38"]})
pq.write_table(nested, parquet("pyarrow-nested"), row_group_size=25)
pq.write_table(nested, parquet("pyarrow-nested-v2"), data_page_version="2.0", data_page_size=32, write_batch_size=5, use_dictionary=False)
pq.write_table(nested, parquet("pyarrow-nested-old"), use_compliant_nested_type=False)
pq.write_table(pa.table({"h": pa.array(np.arange(20).astype(np.float16))}), parquet("pyarrow-float16"))
pq.write_table(pa.table({"d": pa.array([dt.timedelta(1)], pa.duration("us"))}), parquet("pyarrow-duration"))
pq.write_table(flat.slice(0, 0), parquet("pyarrow-empty"))
pq.write_table(pa.table({"n": pa.nulls(9)}), parquet("pyarrow-null"))

frame = pl.from_arrow(flat.drop_columns(["fsb"])).with_columns(
    cat=pl.Series(["c%d" % (i % 4) for i in range(N)], dtype=pl.Categorical), ns=pl.Series(each(lambda i: i * 1001)).cast(pl.Datetime("ns"))
)
frame.write_parquet(parquet("polars"), row_group_size=25)
frame.write_parquet(parquet("polars-pages"), compression="snappy", data_page_size=64, statistics=False)
pl.from_arrow(nested.drop_columns(["m", "lm"])).write_parquet(parquet("polars-nested"))

pandas = pd.DataFrame({"i": range(N), "t": ["t%d" % i for i in range(N)], "f": [i / 3 if i % 4 else None for i in range(N)], "when": pd.date_range("2020-01-01", periods=N, freq="h"), "o": [{"a": i} for i in range(N)], "c": pd.Categorical(["x", "y", "z"] * (N // 3))})
fastparquet.write(parquet("fastparquet"), pandas, object_encoding={"t": "utf8", "o": "json"}, row_group_offsets=[0, 40])
fastparquet.write(parquet("fastparquet-int96"), pandas.drop(columns=["c", "o"]), times="int96", compression="GZIP", has_nulls=True)

ipc_flat = flat.append_column("cat", pa.array(["c%d" % (i % 4) if i % 5 else None for i in range(N)]).dictionary_encode())
for codec in ["uncompressed", "lz4", "zstd"]:
    feather.write_feather(ipc_flat, ipc("pyarrow-%s.feather" % codec), compression=codec, chunksize=25)
with pa.ipc.new_file(ipc("pyarrow-nested.arrow"), nested.schema) as out:
    for batch in nested.to_batches(25):
        out.write_batch(batch)
pq.write_table(flat.append_column("cat", pa.array(["c%d" % (i % 4) if i % 5 else None for i in range(N)])), os.path.join(here, "ipc", "pyarrow.parquet"))
with pa.ipc.new_stream(ipc("stream.arrow"), flat.schema) as out:
    out.write_table(flat)
feather.write_feather(flat.select(["i32", "t"]).to_pandas(), ipc("v1.feather"), version=1)
frame.write_ipc(ipc("polars-views.arrow"))
frame.drop(["cat"]).write_ipc(ipc("polars-zstd.arrow"), compression="zstd", compat_level=pl.CompatLevel.oldest())

# A file that begins behind 5 GiB of nothing, of which only what is behind that is kept.
start = 5 << 30


def behind(name, mode):
    out = open(name, mode)
    out.seek(start)
    return out


fastparquet.write("/tmp/large", pandas[["i", "t", "f"]], object_encoding="utf8", open_with=behind, row_group_offsets=[0, 40])
with open("/tmp/large", "rb") as whole:
    whole.seek(start)
    with open(os.path.join(here, "behind-5-gib.parquet-part"), "wb") as out:
        out.write(whole.read())
os.remove("/tmp/large")
