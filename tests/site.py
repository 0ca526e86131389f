"""Builds the documentation's site: `make site`.

The pages are those of docs/, and the navigation is docs/README.md: its headings and its lists. What a page links to
outside docs/, or a folder, is there on a code host and not in the site: such a link becomes plain text.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import tomli_w

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
HEADING = re.compile(r"^\*\*(.+?)\*\*")
ITEM = re.compile(r"^- \[(.+?)\]\((.+?)\)")
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def navigation() -> list[dict[str, Any]]:
    """Return the navigation: the start page, and for each heading of docs/README.md the pages of its list."""
    sections: dict[str, list[dict[str, str]]] = {}
    title = ""
    for line in (DOCS / "README.md").read_text("utf-8").splitlines():
        if heading := HEADING.match(line):
            title = heading[1]
        elif item := ITEM.match(line):
            sections.setdefault(title, []).append({item[1]: item[2]})
    return [{"Documentation": "README.md"}, *({title: pages} for title, pages in sections.items())]


def settings() -> dict[str, Any]:
    """Return Zensical's settings; without fonts and icons of other hosts."""
    palette = [
        {"media": "(prefers-color-scheme: light)", "scheme": "default"},
        {"media": "(prefers-color-scheme: dark)", "scheme": "slate"},
    ]
    theme = {
        "language": "en",
        "font": False,
        "features": ["navigation.sections", "content.code.copy"],
        "palette": palette,
    }
    return {
        "project": {
            "site_name": "auditctl",
            "site_description": "A write-once activity log inside PostgreSQL",
            "docs_dir": "docs",
            "site_dir": "site",
            "use_directory_urls": False,
            "nav": navigation(),
            "theme": theme,
        }
    }


def is_in_site(page: Path, link: str) -> bool:
    """Whether a link of a page leads to another host, to a heading, or to a file of docs/."""
    path = link.partition("#")[0]
    if not path or re.match(r"[a-z]+:", link):
        return True
    target = (page.parent / path).resolve()
    return not target.exists() or (target.is_file() and target.is_relative_to(DOCS))  # a broken one is for Zensical


def staged(page: Path) -> str:
    """Return a page's text as the site has it."""
    parts = FENCE.split(page.read_text("utf-8"))
    parts[::2] = [LINK.sub(lambda link: link[0] if is_in_site(page, link[2]) else link[1], part) for part in parts[::2]]
    return "".join(parts)


def build(work: Path) -> int:
    """Build the site into the folder `site` of an empty folder, and return 0 unless a link is broken."""
    source = work / "docs"
    shutil.copytree(DOCS, source, ignore=shutil.ignore_patterns("man"))
    for page in DOCS.rglob("*.md"):
        (source / page.relative_to(DOCS)).write_text(staged(page), "utf-8")
    (work / "zensical.toml").write_text(tomli_w.dumps(settings()), "utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", "zensical.toml"]
    return subprocess.run(command, cwd=work).returncode


def main() -> int:
    """Build the site into site/, and return 0 unless a link is broken."""
    work = ROOT / "build" / "site"
    for folder in (work, ROOT / "site"):
        shutil.rmtree(folder, ignore_errors=True)
    work.mkdir(parents=True)
    code = build(work)
    if code == 0:
        (work / "site").rename(ROOT / "site")
    return code


if __name__ == "__main__":
    sys.exit(main())
