"""Reports: whole, self-contained, safe whatever names are in them, and usable in a browser."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import supernode as sn
from supernode.errors import MissingExtraError, SpecError
from supernode.page import write_report
from supernode.page.contents import MOST_ROWS, of_table

pytest.importorskip("jinja2")
pytest.importorskip("vl_convert")

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)


class Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))

    def count(self, tag: str) -> int:
        """Count a tag."""
        return sum(name == tag for name, _ in self.tags)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of a result, a bench and a sweep."""
    folder = tmp_path_factory.mktemp("reports")
    sn.all_reduce("hgx-h100:4", size="4 MiB", algorithm="ring", record=["levels", "ranks"]).save(folder / "result")
    sn.bench("all_reduce", "hgx-h100", sizes=sn.sizes("1 KiB", "16 MiB", x=4), algorithms=["ring", "auto"]).save(
        folder / "bench"
    )
    grid: dict[str, list[Any]] = {"system": ["hgx-h100", "hgx-a100"], "lanes": [1, 3.5]}
    sn.Sweep(base={"collective": "all_reduce", "size": 1024, "algorithm": "ring"}, grid=grid).run(folder / "sweep")
    return folder


@pytest.mark.parametrize("kind", ["result", "bench", "sweep"])
def test_a_report_is_one_file_that_needs_nothing_else(folders: Path, tmp_path: Path, kind: str) -> None:
    text = write_report(folders / kind, tmp_path / "r.html").read_text()
    page = Page(text)
    # nothing is loaded: no address but the names of XML
    assert set(re.findall(r"https?://[^\s\"'<>]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not [t for t, a in page.tags if t in ("link", "iframe") or (t == "script" and "src" in a)]
    # what is seen is also said
    for tag, attributes in page.tags:
        assert tag != "img" or attributes["alt"]
        # what is in a picture is part of it
        assert tag == "svg" or attributes.get("role") != "img" or attributes["aria-label"]
    assert page.count("th") == text.count('<th scope="col"') > 5
    assert page.count("main") == page.count("h1") == 1
    # the same folder gives the same bytes
    assert write_report(folders / kind, tmp_path / "again.html").read_text() == text


def test_what_a_report_of_a_result_shows(folders: Path, tmp_path: Path) -> None:
    result = sn.all_reduce("hgx-h100:4", size="4 MiB", algorithm="ring", record=["levels", "ranks"])
    text = html.unescape(result.to_html(tmp_path / "r.html").read_text())
    for part in (result.bottleneck, result.algorithm, *result.warnings, "Fabric by utilisation", '"element_bytes": 4'):
        assert part in text
    busiest = max(row["utilisation_max"] for row in result.levels.to_pylist())
    assert f"busy {100 * busiest:.0f} %" in text
    # a level that nothing passed
    assert "busy 0 %" in text


def test_what_a_report_of_a_sweep_shows(folders: Path, tmp_path: Path) -> None:
    text = html.unescape(write_report(folders / "sweep", tmp_path / "r.html").read_text())
    assert "Sweep over system, lanes" in text
    assert "2 of 4 points" in text and "2 points failed" in text
    assert "lanes: 3.5 is not valid" in text


def test_names_cannot_become_markup(tmp_path: Path) -> None:
    name = "</td><script>alert(1)</script><b title='x'>&amp;"
    machine = sn.System(name).scale_up(count=4, fabric=sn.Switched(bandwidth="1 GB/s", latency="1 us"))
    run = sn.all_reduce(machine, size=1024, algorithm="ring", record=["levels"])
    text = run.to_html(tmp_path / "r.html").read_text()
    assert "<script>alert" not in text
    assert Page(text).count("script") == 1
    bench = sn.bench("all_reduce", machine, sizes=[1024], algorithms=["ring"])
    assert "<script>alert" not in bench.to_html(tmp_path / "b.html").read_text()


def test_long_tables_say_that_they_were_cut() -> None:
    import pyarrow as pa

    table = of_table("many", pa.table({"a": range(MOST_ROWS + 1), "b": [None] * (MOST_ROWS + 1)}))
    assert table.words == f"The first {MOST_ROWS:,} of {MOST_ROWS + 1:,} rows."
    assert len(table.rows) == MOST_ROWS


def test_what_cannot_be_reported_is_an_error(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match=r"must end in \.html"):
        write_report(folders / "result", tmp_path / "r.txt")
    with pytest.raises(SpecError, match=r"has no meta\.json"):
        write_report(tmp_path, tmp_path / "r.html")
    with pytest.raises(SpecError, match="does not exist"):
        write_report(tmp_path / "nothing", tmp_path / "r.html")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'supernode\[report\]'"):
        write_report(folders / "result", tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_the_command(folders: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "supernode", "report"]
    done = subprocess.run(
        [*command, str(folders / "bench"), "-o", str(tmp_path / "r.html")], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, f"wrote {tmp_path / 'r.html'}\n")
    wrong = subprocess.run([*command, str(folders), "-o", str(tmp_path / "x.html")], capture_output=True, text=True)
    assert wrong.returncode == 2 and "has no meta.json" in wrong.stderr


#: Sorts the first table by its column of times, twice, then filters it, and writes down what is seen.
CLICKS = """
<script>
addEventListener("load", () => {
  const table = document.querySelector("table"), heads = [...table.tHead.rows[0].cells];
  const at = heads.findIndex(head => head.textContent.trim() === "time_ns");
  const seen = () => [...table.tBodies[0].rows].map(row => row.cells[at].dataset.value).join(" ");
  const click = () => {
    heads[at].querySelector("button").click();
    return heads[at].getAttribute("aria-sort") + ":" + seen();
  };
  const found = [click(), click()];
  const input = document.querySelector("input[data-filter]");
  input.value = "auto"; input.dispatchEvent(new Event("input"));
  found.push(document.querySelector("[role=status]").textContent);
  document.title = JSON.stringify(found);
});
</script></body>"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_tables_sort_and_filter_in_a_browser(folders: Path, tmp_path: Path) -> None:
    assert BROWSER is not None
    place = write_report(folders / "bench", tmp_path / "r.html")
    place.write_text(place.read_text().replace("</body>", CLICKS))
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--dump-dom",
        f"--user-data-dir={tmp_path}/profile",
    ]
    dom = subprocess.run([*command, place.as_uri()], capture_output=True, text=True, timeout=120).stdout
    title = re.search(r"<title>(.*?)</title>", dom)
    assert title is not None, dom[:500]
    up, down, count = html.unescape(title[1]).strip('[]"').split('","')
    times = sorted(row["time_ns"] for row in sn.Bench.load(folders / "bench").rows)
    assert up == "ascending:" + " ".join(map(repr, times))
    assert down == "descending:" + " ".join(map(repr, reversed(times)))
    assert count == "8 of 16 rows"
