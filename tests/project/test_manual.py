"""The manual pages: made from the help texts, complete, and valid roff."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from auditctl.cli.main import COMMANDS, cli
from tests.support import manual

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "man"


def rendered(page: str) -> str:
    """What a terminal of 200 columns shows of a page, without emphasis; groff must warn of nothing."""
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("groff is not installed")
    command = [groff, "-man", "-Tutf8", "-ww", "-rLL=200n", "-P-cbou"]
    done = subprocess.run(command, input=page, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout


def test_the_pages_in_the_checkout_are_those_of_the_help_texts(update_golden: bool) -> None:
    pages = manual.pages()
    if update_golden:
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir()
        for name, text in pages.items():
            (FOLDER / name).write_text(text, "utf-8")
    assert {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()} == pages, "run: make man"


def test_every_command_and_option_is_on_its_page() -> None:
    pages = {name.removesuffix(".1"): text for name, text in manual.pages().items()}
    assert set(pages) == {"auditctl", "pgauditctl", *(f"auditctl-{name}" for name in COMMANDS)}
    context = click.Context(cli, **cli.context_settings)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        assert manual.escape(f"auditctl-{name}") in pages["auditctl"]
        parts = list(command.commands.values()) if isinstance(command, click.Group) else []
        text = pages[f"auditctl-{name}"]
        assert [part.name for part in parts if f"auditctl {name} {part.name}".upper() not in text] == []
        options = [opt for one in (command, *parts) for parameter in one.params for opt in parameter.opts]
        assert [opt for opt in options if opt.startswith("-") and rf"\fB{manual.escape(opt)}\fR" not in text] == []
    assert [opt for each in cli.params for opt in each.opts if manual.escape(opt) not in pages["auditctl"]] == []


def test_units_of_systemd_name_pages_that_exist() -> None:
    units = "".join(path.read_text("utf-8") for path in (FOLDER.parent / "examples").rglob("*.service"))
    named = set(re.findall(r"man:([\w-]+)\(1\)", units))
    assert named
    assert named - {name.removesuffix(".1") for name in manual.pages()} == set()


def test_groff_takes_every_page_without_a_warning() -> None:
    for name, page in manual.pages().items():
        if not page.startswith(".so"):
            text = rendered(page)
            assert f"{name.removesuffix('.1')} - " in text
            assert [line for line in text.splitlines() if re.search(r"\\|^\.", line)] == []


def test_what_roff_would_take_for_something_else_is_shown_as_it_is() -> None:
    text = "`it's` \\fBx\\n -- \"quoted\" ~/.pgpass ^ 'a.*' café"
    assert rendered(f'.TH X 1 "" "" ""\n.SH NAME\n{manual._line(text)}\n').splitlines().count("") > 0
    shown = rendered(f'.TH X 1 "" "" ""\n.SH NAME\n{manual._line(".so " + text)}\n{manual._line(text)}\n')
    assert ".so it's \\fBx\\n -- \"quoted\" ~/.pgpass ^ 'a.*' café it's" in " ".join(shown.split())
