"""Write what has to be said about the crates that are compiled into the extension module.

Two files at the top of the repository go into every wheel and source distribution: ``THIRD-PARTY-NOTICES.txt`` with the
licence texts and notices that the crates ship, and ``supernode.cdx.json``, a bill of materials (CycloneDX 1.6). Both
follow from ``Cargo.lock`` alone and name no path of the machine that wrote them.

``python tools/notices.py`` writes them; ``--check``, as in ``make lint``, fails if they are not up to date.

Cargo decides which crates are compiled in: normal dependencies for Linux, without procedural macros and build scripts.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NOTICES = ROOT / "THIRD-PARTY-NOTICES.txt"
BILL = ROOT / "supernode.cdx.json"
#: The binding, whose dependencies are what a wheel contains.
CRATE = "supernode-python"
#: One platform, so that the files are the same wherever they are written; x86_64 and aarch64 compile the same crates.
TARGET = "x86_64-unknown-linux-gnu"
#: Files of a crate that hold a licence or a notice.
TEXTS = re.compile(r"(?i)(un)?licen[cs]e|copying|copyright|notice")

HEAD = """Notices of third parties

supernode is licensed under the Apache License, Version 2.0; see LICENSE. Its extension module contains compiled code of
the crates listed here, each under the licence named beside it. Where a licence offers a choice that includes the Apache
License, Version 2.0, that one applies. The Rust standard library (https://github.com/rust-lang/rust, MIT OR Apache-2.0)
is compiled in as well.

"""


def cargo(*arguments: str) -> str:
    """Return what cargo prints."""
    command = ["cargo", *arguments, "--locked", "--manifest-path", str(ROOT / "Cargo.toml")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def crates() -> list[dict[str, Any]]:
    """Return cargo's records of the crates of others that are compiled in, by name and version."""
    tree = cargo("tree", "-p", CRATE, "-e", "normal,no-proc-macro", "--target", TARGET, "--prefix", "none", "-f", "{p}")
    compiled = {tuple(line.split()[:2]) for line in tree.splitlines()}
    packages = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", TARGET))["packages"]
    found = [p for p in packages if p["source"] and (p["name"], f"v{p['version']}") in compiled]
    return sorted(found, key=lambda p: (p["name"], p["version"]))


def texts(package: dict[str, Any]) -> list[str]:
    """Return the licence texts and notices that a crate ships."""
    folder = Path(package["manifest_path"]).parent
    files = sorted(f for f in folder.iterdir() if f.is_file() and TEXTS.match(f.name))
    return ["\n".join(line.rstrip() for line in f.read_text("utf-8").strip("\n").splitlines()) for f in files]


def notices(packages: list[dict[str, Any]]) -> str:
    """Return the list of crates, and each text once with the crates that ship it."""
    lines = [f"{p['name']} {p['version']}: {p['license']}" for p in packages]
    owners: dict[str, list[str]] = defaultdict(list)
    first: dict[str, str] = {}
    for package in packages:
        for text in texts(package):
            key = " ".join(text.split())
            first.setdefault(key, text)
            if package["name"] not in owners[key]:
                owners[key].append(package["name"])
    rule = "=" * 100
    parts = [f"{rule}\n{', '.join(names)}\n{rule}\n\n{first[key]}\n" for key, names in owners.items()]
    return HEAD + "\n".join(lines) + "\n\n" + "\n".join(parts)


def bill(packages: list[dict[str, Any]]) -> str:
    """Return the bill of materials."""
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:cargo/{p['name']}@{p['version']}",
            "name": p["name"],
            "version": p["version"],
            "licenses": [{"expression": p["license"].replace("/", " OR ")}],
            "purl": f"pkg:cargo/{p['name']}@{p['version']}",
        }
        for p in packages
    ]
    content = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}
    return json.dumps(content, indent=1) + "\n"


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail if the files are not up to date")
    check = parser.parse_args().check
    packages = crates()
    for path, content in ((NOTICES, notices(packages)), (BILL, bill(packages))):
        if not check:
            path.write_text(content, "utf-8")
        elif not path.is_file() or path.read_text("utf-8") != content:
            sys.stderr.write(f"error: {path.name} does not match Cargo.lock; run make lock\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
