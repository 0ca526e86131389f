"""The image, the compose file and the units of systemd: what they run is run, or parsed, as it stands in them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
import yaml

from auditctl.cli.main import cli
from auditctl.demo.process import choose_port
from auditctl.demo.server import EmbeddedServer
from tests.fixtures.databases import connect, fetch_value
from tests.fixtures.web import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "examples" / "docker"
UNITS = sorted((ROOT / "docs" / "examples" / "systemd").glob("*.service"))
SECRETS = {"postgres_password": "s3cret-p", "auditor_password": "it's \\ a %s", "upkeep_password": "s3cret-u"}


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, each with its arguments on one line."""
    lines = [line for line in ROOT.joinpath("Dockerfile").read_text().splitlines() if not line.startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def arguments(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def health_check() -> list[str]:
    (check,) = arguments("HEALTHCHECK")
    words: list[str] = json.loads(check.partition("CMD ")[2])
    return words


def services() -> dict[str, Any]:
    """The services of the compose file."""
    loaded: dict[str, Any] = yaml.safe_load(FOLDER.joinpath("compose.yml").read_text())
    return dict(loaded["services"])


def command_line(service: dict[str, Any], *words: str) -> list[str]:
    """What a service runs, as compose gives it to the system; its own command unless words are given."""
    line = [*service.get("entrypoint", ["auditctl"]), *(words or service["command"])]
    return [word.replace("$$", "$") for word in line]


def typed() -> list[list[str]]:
    """The commands that the page about containers runs by the service `auditctl`, to set up."""
    page = ROOT.joinpath("docs", "how-to", "docker.md").read_text("utf-8")
    chapter = page.partition("## PostgreSQL, page and upkeep")[2]
    block = chapter.partition("```sh\n")[2].partition("```")[0]
    return [line.split()[5:] for line in block.splitlines() if line.startswith("docker compose run --rm auditctl ")]


def parse(words: list[str]) -> None:
    """Parse a command line, without the program's name; `click` raises if it does not fit."""
    with cli.make_context("auditctl", words) as context:
        name, command, rest = cli.resolve_command(context, [*context._protected_args, *context.args])
        assert isinstance(command, click.Command)
        command.make_context(name, rest, parent=context)


def test_image_copies_only_what_is_there_and_what_the_builder_gets() -> None:
    allowed = [line[1:] for line in ROOT.joinpath(".dockerignore").read_text().splitlines() if line.startswith("!")]
    sources = [source for copy in arguments("COPY") if "--from" not in copy for source in copy.split()[:-1]]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, pattern) for pattern in allowed), source


def test_image_runs_as_nobody_special_and_holds_no_secret() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", arguments("USER")[-1])
    assert arguments("ARG") == []
    assert [line for line in arguments("ENV") if re.search("pass|secret|token|dsn", line, re.IGNORECASE)] == []


def test_command_lines_of_image_and_compose_file_are_understood() -> None:
    (entry,), (command,) = arguments("ENTRYPOINT"), arguments("CMD")
    assert json.loads(entry) == ["auditctl"]
    parse(json.loads(command))
    for name in ("auditctl", "page", "upkeep"):
        words = services()[name]["command"]
        if words != ["--help"]:
            parse(words)


def test_only_the_page_is_published_and_only_on_this_machine() -> None:
    assert {name: service["ports"] for name, service in services().items() if "ports" in service} == {
        "page": ["127.0.0.1:8484:8484"]
    }


def test_no_password_of_the_compose_file_is_in_an_environment() -> None:
    environments = [service.get("environment", {}) for service in services().values()]
    values = {name: value for environment in environments for name, value in environment.items()}
    assert {name for name in values if "PASSWORD" in name} == {"POSTGRES_PASSWORD_FILE", "PASSWORD_FILE"}
    assert all(re.fullmatch(r"postgresql://(\w+@)?database/app", values[name]) for name in values if "DSN" in name)


def test_command_lines_of_units_are_understood() -> None:
    lines = [line for unit in UNITS for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    assert len(lines) >= len(UNITS)
    for line in lines:
        program, *words = shlex.split(line.removeprefix("ExecStart="))
        assert program == "/usr/local/bin/auditctl"
        parse(words)


def test_units_may_do_no_more_than_they_need() -> None:
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    command = [analyze, "security", "--offline=yes", "--no-pager", "--threshold=20"]
    for unit in UNITS:
        done = subprocess.run([*command, unit], capture_output=True, text=True, check=False)
        if "unrecognized option" in done.stderr:
            pytest.skip("systemd-analyze is older than 250")
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_wheel_is_built_from_what_the_image_copies(tmp_path: Path) -> None:
    source, wheels = tmp_path / "src", tmp_path / "wheels"
    for copy in (words.split() for words in arguments("COPY") if "--from" not in words):
        for name in copy[:-1]:
            target = source / (name if copy[-1] == "./" else copy[-1])
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_path = shutil.copytree if Path(ROOT, name).is_dir() else shutil.copy
            copy_path(ROOT / name, target)
    command = arguments("RUN")[0].replace("/wheels", str(wheels)).replace("python", sys.executable, 1)
    subprocess.run(command, shell=True, cwd=source, check=True, capture_output=True)
    (wheel,) = wheels.glob("auditctl-*.whl")
    pip = [sys.executable, "-m", "pip", "--quiet", "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", tmp_path / "opt", wheel], check=True, capture_output=True)
    env = os.environ | {"PYTHONPATH": str(tmp_path / "opt")}
    done = subprocess.run(
        [sys.executable, "-m", "auditctl", "install", "--sql"], cwd=tmp_path, env=env, capture_output=True, check=True
    )
    assert b"create schema" in done.stdout


def test_script_of_logins_shows_no_password_in_the_arguments_of_a_program(tmp_path: Path) -> None:
    for name, value in SECRETS.items():
        (tmp_path / name).write_text(f"{value}\n")
    psql = tmp_path / "psql"
    psql.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/arguments\n')
    psql.chmod(0o700)
    logins = FOLDER.joinpath("logins.sh").read_text().replace("/run/secrets", str(tmp_path))
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "POSTGRES_USER": "postgres", "POSTGRES_DB": "app"}
    subprocess.run(["sh", "-c", logins], env=env, check=True)
    arguments = (tmp_path / "arguments").read_text()
    assert "--dbname=app" in arguments
    assert not [value for value in SECRETS.values() if value in arguments]


@contextmanager
def database_of_the_image(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server as PostgreSQL's image makes it: by network with passwords, and with the script of logins."""
    for name, value in SECRETS.items():
        (tmp_path / name).write_text(f"{value}\n")
    with EmbeddedServer(tcp=True) as server:
        with connect(server.dsn()) as conn:
            conn.execute("create database app")
            conn.execute(f"alter role postgres password '{SECRETS['postgres_password']}'".encode())
            server.data.joinpath("pg_hba.conf").write_text("local all all trust\nhost all all all scram-sha-256\n")
            conn.execute("select pg_reload_conf()")
        logins = FOLDER.joinpath("logins.sh").read_text().replace("/run/secrets", str(tmp_path))
        env = {"PATH": os.environ["PATH"], "PGHOST": server.host, "PGPORT": str(server.port)}
        env |= {"POSTGRES_USER": "postgres", "POSTGRES_DB": "app"}
        subprocess.run(["sh", "-c", logins], env=env, check=True)
        yield server


@pytest.mark.slow
def test_services_of_the_compose_file_work_together(tmp_path: Path) -> None:
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed: apt-get install postgresql-client")
    found, port = services(), choose_port()
    with database_of_the_image(tmp_path) as server:

        def start(name: str, *words: str) -> subprocess.Popen[str]:
            given = found[name]["environment"]
            env = {name: str(value).replace("/run/secrets", str(tmp_path)) for name, value in given.items()}
            env["AUDITCTL_DSN"] = env["AUDITCTL_DSN"].replace("database", f"127.0.0.1:{server.port}")
            env |= {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
            line = command_line(found[name], *words)
            return subprocess.Popen(line, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        assert [words[0] for words in typed()] == ["install", "grant", "grant"]
        for words in typed():
            with start("auditctl", *words) as command:
                _, err = command.communicate()
            assert command.returncode == 0, err
        with start("page", *found["page"]["command"], "--port", str(port)) as page, start("upkeep") as upkeep:
            assert upkeep.stderr is not None
            assert any(line.startswith("Next run") for line in upkeep.stderr)
            check = [word.replace("8484", str(port)) for word in health_check()]
            assert check[0] == "python"
            while subprocess.run([sys.executable, *check[1:]], capture_output=True).returncode:
                assert page.poll() is None
                time.sleep(0.1)
            with Client(base_url=f"http://127.0.0.1:{port}") as browser:
                assert browser.sign_in("auditor", SECRETS["auditor_password"]).status_code == 303
                assert browser.get("/").status_code == 200
            for process in (page, upkeep):
                process.send_signal(signal.SIGTERM)
                process.communicate()
        assert (page.returncode, upkeep.returncode) == (0, 0)
        assert subprocess.run([sys.executable, *check[1:]], capture_output=True).returncode == 1
        assert fetch_value(server.dsn("app"), "select ran_at is not null from auditctl.maintenance")
