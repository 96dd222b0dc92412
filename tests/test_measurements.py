"""Measured results read from what benchmarks print, and what is wrong with a file named by its line.

All samples are made up here; their columns are those that the programs print.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import supernode as sn
from supernode.errors import SizeOverflowError, SpecError, SupernodeError
from supernode.measured import FORMATS, schema
from supernode.measured.point import busbw_factor
from supernode.measured.words import rounding

RANK = "#  Rank {0:2d} Group {1:2d} Pid {2:6d} on      node{3} device {4:2d} [0000:{4:02x}:00] Some GPU"
BANNER = "#                                                       out-of-place                       in-place"
NAMES = "#   size    count   type  redop  root     time   algbw   busbw  #wrong     time   algbw   busbw  #wrong"
UNITS = "#    (B) (elements)                       (us)  (GB/s)  (GB/s)             (us)  (GB/s)  (GB/s)"
ROWS = (
    "    1024      256  float    sum    -1    10.24    0.10    0.15       0     8.00    0.13    0.19     N/A",
    " 1048576   262144  float    sum    -1    20.00   52.43   78.64       3    16.00   65.54   98.30     N/A",
)
END = ("# Out of bounds values : 0 OK", "# Avg bus bandwidth    : 44.32 ", "#")


def launch(devices: int, graph: int = 0) -> str:
    return (
        f"# nThread 1 nGpus {devices} minBytes 8 maxBytes 1048576 step: 2(factor) warmup iters: 1 iters: 20 "
        f"agg iters: 1 validation: 1 graph: {graph}"
    )


def head(ranks: int = 4, devices: int = 4, graph: int = 0) -> tuple[str, ...]:
    return (launch(devices, graph), "#", "# Using devices", *(RANK.format(r, 0, 7, 0, r) for r in range(ranks)), "#")


def log(*parts: Any) -> str:
    return "".join(f"{part}\n" if isinstance(part, str) else log(*part) for part in parts)


GOOD = log("# Collective test starting: all_reduce_perf", head(), BANNER, NAMES, UNITS, ROWS, END)


def read(tmp_path: Path, text: str, name: str = "x.log", **options: Any) -> list[dict[str, Any]]:
    path = tmp_path / name
    path.write_text(text)
    table = sn.read_measurements(path, **options)
    assert table.schema == schema()
    table.validate(full=True)
    return table.to_pylist()  # type: ignore[no-any-return]


def test_a_log_of_nccl_tests(tmp_path: Path) -> None:
    rows = read(tmp_path, GOOD)
    assert [(r["line"], r["size_bytes"], r["in_place"], r["time_ns"]) for r in rows] == [
        (13, 1024, False, 10240), (13, 1024, True, 8000), (14, 2**20, False, 20000), (14, 2**20, True, 16000),
    ]  # fmt: skip
    first = rows[0]
    # 1024 B in 10.24 us is 0.1 GB/s; four ranks have a factor of 2 * 3 / 4
    assert (first["algbw_gbytes_s"], first["busbw_gbytes_s"]) == pytest.approx((0.1, 0.15))
    kept = (
        "collective",
        "ranks",
        "devices_per_thread",
        "graph",
        "iterations",
        "type",
        "redop",
        "root",
        "format",
        "table",
    )
    assert [first[k] for k in kept] == ["all_reduce", 4, 4, False, 20, "float", "sum", -1, "nccl-tests", 1]
    assert first["source"] == str(tmp_path / "x.log")
    assert [r["wrong"] for r in rows] == [0, None, 3, None]
    # the last digit is 0.01 us: half of it over 10.24 us
    assert first["rounding"] == pytest.approx(0.005 / 10.24)


def tagged(text: str, tag: str) -> str:
    return "".join(f"{tag}{line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    "tag",
    ["[1,0]<stdout>:", "[1,0]<stdout> ", "[prterun-node0-12@1,0]<stdout>: ", "0: ", " 12: ",
     "2026-01-02T03:04:05.678901Z ", "2026-01-02T03:04:05Z [1,0]<stdout>:", "    "],
)  # fmt: skip
def test_what_launchers_put_before_a_line(tag: str, tmp_path: Path) -> None:
    rows = read(tmp_path, tagged(GOOD, tag))
    assert rows == read(tmp_path, GOOD)
    assert read(tmp_path, GOOD.replace("\n", "\r\n")) == rows


def test_other_lines_between_rows(tmp_path: Path) -> None:
    noise = "node0:100:110 [0] NCCL INFO Launch mode Parallel"
    text = log("$ ./all_reduce_perf -g 4", head(), noise, BANNER, NAMES, UNITS, noise, ROWS[0], "...", noise, ROWS[1])
    assert [r["size_bytes"] for r in read(tmp_path, text)] == [1024, 1024, 2**20, 2**20]


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    names = (
        "# size count type redop root time algbw busbw #wrong i_min i_max i_p99 i_cv% "
        "time algbw busbw #wrong i_min i_max i_p99 i_cv% timestamp"
    )
    units = (
        "# (B) (elements) (us) (GB/s) (GB/s) (us) (us) (us) (%) (us) (GB/s) (GB/s) (us) (us) (us) (%) %Y-%m-%d %H:%M:%S"
    )
    row = "1024 256 float sum -1 10.24 0.10 0.15 0 9 12 11 3.1 8.00 0.13 0.19 N/A 7 9 9 2.5 2026-01-02 03:04:05"
    rows = read(tmp_path, log("# Collective test starting: all_reduce_perf", head(), BANNER, names, units, row))
    assert [(r["time_ns"], r["in_place"], r["wrong"]) for r in rows] == [(10240, False, 0), (8000, True, None)]
    # an older version names no root where there is none, and its errors otherwise
    old = "# size count type redop time algbw busbw error time algbw busbw error"
    row = "1024 64 float sum 10.24 0.10 0.15 0e+00 8.00 0.13 0.19 2e-07"
    rows = read(tmp_path, log("# all_reduce_perf", head(), BANNER, old, row))
    assert [(r["root"], r["wrong"]) for r in rows] == [(None, 0), (None, 0)]
    # rccl-tests has tables of one placement
    alone = log("# all_reduce_perf", head(), "#     in-place", "# size count type redop root time algbw busbw #wrong",
                "1024 256 float sum -1 8.00 0.13 0.19 0")  # fmt: skip
    assert [r["in_place"] for r in read(tmp_path, alone)] == [True]
    assert [r["in_place"] for r in read(tmp_path, alone.replace("in-place", "out-of-place"))] == [False]


def test_rows_of_rccl_tests(tmp_path: Path) -> None:
    ranks = tuple(
        f"#   Rank {r:2d} Pid   1234 on      node0 device {r:2d} [0000:{r:02x}:00.0] Some GPU" for r in range(2)
    )
    start = "# nThread: 1 nGpus: 2 minBytes: 8 maxBytes: 1024 step: 2(factor) iters: 30 agg iters: 1 graph: 1"
    rows = read(
        tmp_path, log("all_reduce_perf", start, "rccl-tests: Version x", "# Using devices", ranks, BANNER, NAMES, ROWS)
    )
    assert {(r["ranks"], r["devices_per_thread"], r["iterations"], r["graph"]) for r in rows} == {(2, 2, 30, True)}


def test_several_tables(tmp_path: Path) -> None:
    table = (BANNER, NAMES, UNITS, ROWS, END)
    gather = tuple(row.replace("  sum", " none") for row in ROWS)
    text = log(
        "./build/all_reduce_perf -g 4", head(), table, "./build/all_gather_perf -g 2", head(2, 2, graph=1),
        BANNER, NAMES, gather, END, "# Collective test starting: all_reduce_perf", head(), table,
    )  # fmt: skip
    rows = read(tmp_path, text)
    assert [(r["table"], r["collective"], r["ranks"], r["devices_per_thread"], r["graph"]) for r in rows[::4]] == [
        (1, "all_reduce", 4, 4, False), (2, "all_gather", 2, 2, True), (3, "all_reduce", 4, 4, False),
    ]  # fmt: skip
    cycles = log(
        "all_reduce_perf", head(), BANNER, NAMES, ROWS[0], "# Testing 2 cycle.", ROWS[0].replace("10.24", "11.00")
    )
    assert [(r["table"], r["time_ns"]) for r in read(tmp_path, cycles)[::2]] == [(1, 10240), (2, 11000)]


def test_ranks_are_counted_by_communicator(tmp_path: Path) -> None:
    split = tuple(RANK.format(r, r % 2, 7, 0, r) for r in range(8))
    text = log("all_reduce_perf", launch(1), split, BANNER, NAMES, ROWS)
    assert {r["ranks"] for r in read(tmp_path, text)} == {4}
    # lines of some ranks may be lost among others; the highest counts
    text = log("all_reduce_perf", launch(1), split[0::2][:2], RANK.format(7, 0, 7, 0, 7), BANNER, NAMES, ROWS)
    assert {r["ranks"] for r in read(tmp_path, text)} == {8}


def test_the_collective_is_told_or_asked_for(tmp_path: Path) -> None:
    nameless = log(head(), BANNER, NAMES, ROWS)
    # 78.64 / 52.43 = 1.5 = 2 * 3 / 4 is an all-reduce, half of it a reduce-scatter
    assert read(tmp_path, nameless)[0]["collective"] == "all_reduce"
    scatter = nameless.replace("78.64", "39.32").replace("98.30", "49.15")
    assert read(tmp_path, scatter)[0]["collective"] == "reduce_scatter"
    rooted = nameless.replace("   -1  ", "    0  ")
    assert read(tmp_path, rooted)[0]["collective"] == "reduce"
    none = nameless.replace("sum", "none")
    with pytest.raises(SpecError, match=r"^x\.log: table in line 10: which collective .* give collective=, such as"):
        read(tmp_path, none)
    assert read(tmp_path, none, collective="alltoall")[0]["collective"] == "all_to_all"
    assert read(tmp_path, none, "sendrecv_perf.log")[0]["collective"] == "send_recv"
    with pytest.raises(SpecError, match="it is of all_reduce, but collective='reduce_scatter' was given"):
        read(tmp_path, GOOD, collective="reduce_scatter")
    with pytest.raises(SpecError, match="line 13: redop is 'none', which does not go with all_reduce"):
        read(tmp_path, GOOD.replace("sum", "none"))
    with pytest.raises(SpecError, match="which collective was measured is not said"):
        read(tmp_path, "hypercube_perf\n" + none)


def test_ranks_are_told_or_asked_for(tmp_path: Path) -> None:
    bare = log("all_reduce_perf", launch(1), BANNER, NAMES, ROWS)
    with pytest.raises(SpecError, match="on how many ranks it was measured is not said; give ranks="):
        read(tmp_path, bare)
    assert read(tmp_path, bare, ranks=16)[0]["ranks"] == 16
    with pytest.raises(SpecError, match="it is of 4 ranks, but ranks=8 was given"):
        read(tmp_path, GOOD, ranks=8)


def test_rows_of_no_bytes_and_rows_twice(tmp_path: Path) -> None:
    zero = "0 0 float sum -1 {} 0.00 0.00 0 3.88 0.00 0.00 0"
    text = log("all_reduce_perf", head(), BANNER, NAMES, zero.format(3.9), zero.format(3.8), ROWS[0], ROWS[0], ROWS[1])
    assert [r["size_bytes"] for r in read(tmp_path, text)] == [1024, 1024, 2**20, 2**20]
    twice = log("all_reduce_perf", head(), BANNER, NAMES, ROWS[0], ROWS[0].replace("10.24", "11.00"))
    with pytest.raises(
        SpecError, match=r"line 13: 1024 bytes of all_reduce on 4 ranks again, .* 11 us here and 10.24 us in line 12"
    ):
        read(tmp_path, twice)
    # another type is another point, and sizes need not grow
    other = log("all_reduce_perf", head(), BANNER, NAMES, ROWS[1], ROWS[0], ROWS[0].replace("float", "half"))
    assert [r["type"] for r in read(tmp_path, other)[::2]] == ["float", "float", "half"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("(us)", "(ms)", r"line 12: time is in '\(ms\)'; read is \(us\)"),
        ("(GB/s)", "(MB/s)", r"line 12: algbw is in '\(MB/s\)'; read is \(GB/s\)"),
        ("(B)", "(KB)", r"line 12: size is in '\(KB\)'; read is \(B\)"),
        (" redop ", " ", "line 11: column redop is missing among size count type root"),
        ("time", "cputime", r"line 11: cputime is what the host takes to launch \(-C\)"),
        ("time   algbw   busbw  #wrong     time", "t algbw busbw #wrong t", "line 11: column time is missing"),
        ("busbw  #wrong     time", "time #wrong time", "line 11: 3 columns of times"),
        (" 98.30     N/A", "", "line 14: 11 words where line 11 names 13 columns; the line ended early"),
        (" 98.30     N/A", " 98.30 N/A 7", "line 14: 14 words where line 11 names 13 columns$"),
        ("20.00", "0.00", "line 14: a time of 0 ns; it must be above 0"),
        ("20.00", "-20.00", "line 14: time is '-20.00'; it must be a number that is not negative"),
        ("20.00", "nan", "line 14: time is 'nan'"),
        ("20.00", "1e99", r"line 14: a time of 1e\+102 ns; .* at most 10\^18 ns"),
        ("1048576   262144", "9" * 20 + " 262144", r"line 14: size 9+ is out of range; it must be 0 to 2\^62 bytes"),
        ("   -1  ", "   x  ", "line 13: root is 'x'; it must be a rank, or -1"),
        ("1024 ", "1025x ", None),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(old: str, new: str, says: str | None, tmp_path: Path) -> None:
    text = GOOD.replace(launch(4), launch(4).replace("1048576", "1M")).replace(old, new, 2 if old in ("(us)",) else -1)
    if says is None:  # a line that begins with no number is none of the table
        assert len(read(tmp_path, text)) == 2
        return
    with pytest.raises(SpecError, match=rf"^x\.log: {says}"):
        read(tmp_path, text)


def test_a_log_that_ends_before_its_first_row(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^x\.log: line 11: the table has no row; the run may have ended"):
        read(tmp_path, log("all_reduce_perf", head(), BANNER, NAMES, UNITS))
    with pytest.raises(SpecError, match="all of its rows are of 0 bytes"):
        read(tmp_path, log("all_reduce_perf", head(), BANNER, NAMES, "0 0 float sum -1 3 0 0 0 3 0 0 0"))


def test_json_of_nccl_tests(tmp_path: Path) -> None:
    bench = sn.bench("all_gather", "hgx-h100", sizes=[1 << 16, 1 << 20], fidelity="analytic")
    path = bench.to_nccl_tests(tmp_path / "x.json")
    table = sn.read_measurements(path)
    for column in ("size_bytes", "time_ns", "algbw_gbytes_s", "busbw_gbytes_s"):
        assert table[column].to_pylist()[::2] == pytest.approx([row[column] for row in bench.rows])
    assert set(table["collective"].to_pylist()) == {"all_gather"} and set(table["ranks"].to_pylist()) == {8}
    content = json.loads(path.read_text())
    content["args"] = ["/opt/all_gather_perf", "-g", "8"]
    assert read(tmp_path, json.dumps(content))[0]["collective"] == "all_gather"
    # as nccl-tests writes it where a table has no times out of place
    content["results"][0]["out_of_place"] = None
    assert len(read(tmp_path, json.dumps(content))) == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not a -J file of nccl-tests: "),
        ("[]", "not a -J file of nccl-tests: it has no list 'results'"),
        ('{"results": [1]}', r"not a -J file of nccl-tests: results\[0\] is 1; it must be a table"),
        ('{"results": [{}]}', r"results\[0\] has no size"),
        ('{"results": [{"size": 8, "in_place": {"time": -1}}]}', "time is -1; it must be a number of at least 0"),
        ('{"results": [{"size": 8, "in_place": {"time": 0}}]}', r"results\[0\]: a time of 0 ns; it must be above 0"),
        ('{"results": [{"size": 8, "in_place": {"cpu_time": 1}}]}', "cpu_time is what the host takes to launch"),
        ('{"results": [{"size": 8, "redop": "none", "in_place": {"time": 1}}]}', "does not go with all_reduce"),
        ('{"results": []}', "it has no out_of_place times"),
        ("[" * 100_000, "not a -J file of nccl-tests: "),
    ],
)
def test_json_that_is_wrong(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=rf"^x\.log: .*{says}"):
        read(tmp_path, text, collective="all_reduce", ranks=8)


OSU = """# OSU MPI-CUDA {} Latency Test v7.3
# Datatype: MPI_CHAR.
# Size       Avg Latency(us)
16          3.50
32          4.00
"""


@pytest.mark.parametrize(
    ("title", "collective", "factor"),
    [("Allreduce", "all_reduce", 1), ("Reduce_scatter", "reduce_scatter", 1), ("Broadcast", "broadcast", 1),
     ("Allgather", "all_gather", 4), ("All-to-All Personalized Exchange", "all_to_all", 4), ("Gather", "gather", 4)],
)  # fmt: skip
def test_outputs_of_osu(title: str, collective: str, factor: int, tmp_path: Path) -> None:
    rows = read(tmp_path, OSU.format(title), ranks=4)
    # where OSU gives the bytes of one rank, nccl-tests gives those of all
    assert [(r["collective"], r["size_bytes"], r["time_ns"]) for r in rows] == [
        (collective, 16 * factor, 3500), (collective, 32 * factor, 4000),
    ]  # fmt: skip
    assert {r["in_place"] for r in rows} == {None}


def test_more_columns_and_tables_of_osu(tmp_path: Path) -> None:
    names = "# Size  Avg Latency(us)   Min Latency(us)   Max Latency(us)  Iterations"
    full = f"# OSU MPI Allreduce Latency Test v5.9\n{names}\n4  1.5  1.25  2.0  1000\n"
    row = read(tmp_path, full + OSU.format("Broadcast"), ranks=2)
    assert [row[0][k] for k in ("time_min_ns", "time_max_ns", "iterations", "table")] == [1250, 2000, 1000, 1]
    assert (row[1]["collective"], row[1]["table"]) == ("broadcast", 2)
    # without a title, the command says the collective
    bare = "$ mpirun -np 2 osu_allreduce\n# Size       Avg Latency(us)\n4  1.5\n"
    assert read(tmp_path, bare, ranks=2)[0]["collective"] == "all_reduce"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (OSU.format("Allreduce"), "table in line 3: on how many ranks"),
        (OSU.format("Allreduce").replace("(us)", "(ms)"), r"line 3: 'Avg Latency\(ms\)'; latencies are read in \(us\)"),
        (OSU.format("Allreduce").replace("4.00", ""), "line 5: 1 words where line 3 names 2 columns"),
        (OSU.format("Bidirectional"), "line 1: a test of 'Bidirectional'; read are all_reduce"),
        ("# OSU MPI Bandwidth Test v7\n# Size      Bandwidth (MB/s)\n1  2\n", "line 1: a test of"),
        ("# Size      Bandwidth (MB/s)\n1  2\n", r"line 1: no column Avg Latency\(us\) among"),
        (OSU.format("Allreduce")[:70], "no table of latencies"),
    ],
)
def test_outputs_of_osu_that_are_wrong(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=rf"^x\.log: {says}"):
        read(tmp_path, text, ranks=None if "how many" in says else 4)


@pytest.mark.parametrize(
    ("column", "value", "time_ns", "taken"),
    [("time_ns", "1500", 1500, "time"), ("time_us", "1.5", 1500, "time"), ("time_ms", "1.5", 1.5e6, "time"),
     ("time_s", "1.5e-6", 1500, "time"), ("algbw_GBps", "0.5", 2048, "algbw"), ("busbw_GBps", "0.5", 3072, "busbw")],
)  # fmt: skip
def test_columns_of_csv(column: str, value: str, time_ns: float, taken: str, tmp_path: Path) -> None:
    # 1024 B at 0.5 GB/s take 2048 ns; on four ranks the bus has 1.5 times the bytes of an all-reduce
    row = read(tmp_path, f"# mine\ncollective,ranks,bytes,{column}\nAllReduce,4,1024,{value}\n")[0]
    assert (row["time_ns"], row["time_from"], row["line"]) == (pytest.approx(time_ns), taken, 3)
    assert row["rounding"] == rounding(value)


def test_optional_columns_of_csv(tmp_path: Path) -> None:
    text = (
        "bytes,time_us,in_place,algorithm,protocol,devices_per_thread,graph\n"
        "1024,1.5,true,ring,ll,8,no\n\n"
        '1024,1.25,0,"ring",simple,,\n'
    )
    rows = read(tmp_path, text, collective="all_reduce", ranks=8)
    kept = ("line", "in_place", "algorithm", "protocol", "devices_per_thread", "graph")
    assert [[row[k] for k in kept] for row in rows] == [
        [2, True, "ring", "ll", 8, False], [4, False, "ring", "simple", None, None],
    ]  # fmt: skip


CSV = "collective,ranks,bytes,time_us\nall_reduce,8,1024,1.5\n\nall_reduce,8,2048,2.5\n"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("time_us", "time", "line 1: unknown column 'time'; did you mean 'time_s'"),
        ("time_us", "time_us,time_ns", "line 1: 2 columns of times"),
        ("time_us", "type", "line 1: 0 columns of times"),
        ("bytes", "iterations", "line 1: column 'bytes' is missing"),
        ("ranks", "bytes", "line 1: column 'bytes' is there twice"),
        ("2.5", "2.5,7", "line 4: expected 4 columns, got 5"),
        (",2.5", "", "line 4: expected 4 columns, got 3"),
        ("2.5", "2,5", "line 4: expected 4 columns, got 5"),
        ("2.5", "", "line 4: time_us is ''; it must be a number"),
        ("2.5", "0", "line 4: a time of 0 ns"),
        ("2.5", "fast", "line 4: time_us is 'fast'"),
        ("2048", "2 KiB", "line 4: bytes is '2 KiB'; it must be a whole number"),
        ("8,2048", "0,2048", "line 4: 0 ranks are out of range"),
        ("8,2048", ",2048", "line 4: on how many ranks"),
        ("all_reduce,8,2048", "allreduse,8,2048", "line 4: unknown collective 'allreduse'; did you mean 'all_reduce'"),
        ("2048", "1024", "line 4: 1024 bytes of all_reduce on 8 ranks again"),
        (CSV[31:], "", "line 1: there is no row below"),
    ],
)
def test_csv_that_is_wrong(old: str, new: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=rf"^x\.log: {says}"):
        read(tmp_path, CSV.replace("time_us", "time_us\n".strip()).replace(old, new))


def test_several_files(tmp_path: Path) -> None:
    paths = [tmp_path / "a.csv", tmp_path / "b.log"]
    paths[0].write_text(CSV)
    paths[1].write_text(GOOD)
    table = sn.read_measurements(paths)
    assert table["source"].to_pylist() == [str(paths[0])] * 2 + [str(paths[1])] * 4
    for wrong, says in (
        ([], "the list is empty"),
        ([paths[0]] * 2, "is given twice"),
        (7, "7 is not the path"),
        ([7], "7"),
    ):
        with pytest.raises(SpecError, match=says):
            sn.read_measurements(wrong)  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="unknown format 'xml'"):
        sn.read_measurements(paths, format="xml")
    with pytest.raises(SpecError, match="ranks: 0 is not valid"):
        sn.read_measurements(paths, ranks=0)
    # a format that is asked for is not searched for
    with pytest.raises(SpecError, match=r"^a\.csv: not a -J file"):
        sn.read_measurements(paths[0], format="nccl-tests-json")


def test_what_holds_no_table(tmp_path: Path) -> None:
    for text in ("", "hello\n", "a,b\n1,2\n", "x" * 10_000, "#\n" * 1000):
        with pytest.raises(
            SpecError, match=r"^x\.log: no table of measurements was found; read are a log of nccl-tests"
        ):
            read(tmp_path, text)
    (tmp_path / "latin").write_bytes(GOOD.encode() + b"\xe9")
    with pytest.raises(SpecError, match=r"latin: not UTF-8: .* at byte"):
        sn.read_measurements(tmp_path / "latin")
    with pytest.raises(SpecError, match="is a directory"):
        sn.read_measurements(tmp_path)


def test_limits_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2**28 + 1)
    with pytest.raises(SizeOverflowError, match="bytes are too many"):
        sn.read_measurements(tmp_path / "huge")
    monkeypatch.setattr("supernode.measured.words.MAX_LINES", 12)
    with pytest.raises(SpecError, match="line 13: there are more than 12 lines"):
        read(tmp_path, GOOD)
    monkeypatch.undo()
    monkeypatch.setattr("supernode.measured.point.MAX_POINTS", 1)
    with pytest.raises(SpecError, match="line 13: there are more than 1 points; split the file"):
        read(tmp_path, GOOD)


def test_long_lines_take_no_time(tmp_path: Path) -> None:
    for noise in ("#" + " " * 10**6, "[" * 10**6, "a_" * 5 * 10**5, "1 " * 5 * 10**5, "# size" + " " * 10**6 + "x"):
        assert len(read(tmp_path, noise + "\n" + GOOD)) == 4
    for noise in ("# nThread " + " " * 4000, "a_" * 4000, "osu_" * 2000, "[a" * 4000):
        assert len(read(tmp_path, (noise + "\n") * 200 + GOOD)) == 4


@given(data=st.data())
@settings(max_examples=300)
def test_damaged_files_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([GOOD, OSU.format("Allgather"), CSV, tagged(GOOD, "0: ")]))
    lines = text.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        words = lines[at].split(" ")
        word = data.draw(st.integers(0, len(words) - 1))
        words[word] = data.draw(
            st.sampled_from(["-1", "0", "nan", "1e999", "9" * 40, "", "x", '"', "(us)", "#", "\0", "²"])
        )
        lines[at] = " ".join(words)
    path = tmp_path_factory.mktemp("damaged") / "x.log"
    path.write_text("\n".join(lines[: data.draw(st.integers(1, len(lines)))]))
    try:
        table = sn.read_measurements(path, collective="all_gather" if "Allgather" in text else None)
    except SupernodeError as error:
        assert str(error).startswith("x.log: ")
    else:
        assert all(0 < time < math.inf for time in table["time_ns"].to_pylist())


def test_the_factor_of_the_bus_is_that_of_the_core() -> None:
    for collective in sn.collectives():
        if collective != "barrier":
            row = sn.bench(collective, "hgx-h100", sizes=[1 << 20], fidelity="analytic").rows[0]
            assert row["busbw_gbytes_s"] / row["algbw_gbytes_s"] == pytest.approx(busbw_factor(collective, 8))


def test_every_format_is_tried() -> None:
    assert set(FORMATS) == {"nccl-tests", "nccl-tests-json", "osu", "csv"}


def test_the_page_has_the_columns() -> None:
    page = (Path(__file__).parent.parent / "docs" / "measurements.md").read_text()
    for field in schema():
        meta = {key.decode(): value.decode() for key, value in field.metadata.items()}
        assert f"| `{field.name}` | {field.type} | {meta.get('unit', '')} | {meta['doc']} |" in page
