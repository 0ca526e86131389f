"""The floors of the code: who may import what, who may speak, and how long a file may be."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "auditctl").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

ARCHIVED = ("predicates", "time_predicates", "value_predicates")
"""What filters mean over an archive."""

ONLY = {
    "jinja2": {"auditctl/capture/render.py", "auditctl/web/render/templates.py"},
    "starlette": {"auditctl/web/"},
    "uvicorn": {"auditctl/web/app.py", "auditctl/web/protocol.py", "auditctl/web/server.py"},
    "alembic": {"auditctl/store.py", "auditctl/integrations/alembic/"},
    "sqlalchemy": {"auditctl/store.py", "auditctl/integrations/sqlalchemy.py", "auditctl/integrations/alembic/"},
    "django": {"auditctl/integrations/django/"},
    "asgiref": {"auditctl/integrations/django/"},
    "asyncpg": {"auditctl/integrations/asyncpg.py"},
    "psycopg_pool": {"auditctl/integrations/psycopg_connections.py"},
    "cryptography": {"auditctl/evidence/algorithms.py"},
    "rfc3161_client": {"auditctl/evidence/timestamps.py"},
    "pyarrow": {"auditctl/archive/"},
    "s3fs": {"auditctl/archive/s3.py"},
    "botocore": {"auditctl/archive/s3.py"},
    "ibis": {"auditctl/archive/", *(f"auditctl/log/archive_{part}.py" for part in ARCHIVED)},
    "click": {"auditctl/cli/"},
    "rich": {"auditctl/cli/", "auditctl/log/formats/table.py", "auditctl/web/render/templates.py"},
}
"""Who may import a library: files, or folders that end with a slash."""

LIBRARY = [file for file in FILES if file.relative_to(ROOT).parts[1] not in ("cli", "__main__.py")]


def name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def dotted(file: Path) -> str:
    return name(file).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def nodes(file: Path) -> tuple[ast.AST, ...]:
    """Everything in a file, the module first."""
    return tuple(ast.walk(ast.parse(file.read_text("utf-8"), name(file))))


@pytest.fixture(scope="module", autouse=True)
def forget_nodes() -> Iterator[None]:
    """Keeps what was parsed for these tests alone: it is large."""
    yield
    nodes.cache_clear()


@cache
def imports(file: Path) -> set[str]:
    """Every module a file imports: at the top, inside a function, or for types alone."""
    found: set[str] = set()
    for node in nodes(file):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def allowed(file: Path, places: set[str]) -> bool:
    return any(name(file) == place or (place.endswith("/") and name(file).startswith(place)) for place in places)


@pytest.mark.parametrize(("library", "places"), ONLY.items())
def test_a_library_is_known_in_one_place(library: str, places: set[str]) -> None:
    users = [file for file in FILES if any(module.split(".")[0] == library for module in imports(file))]
    assert users != []
    assert [name(file) for file in users if not allowed(file, places)] == []


def test_imports_go_down_only() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    floors = [[module.strip() for module in layer.split("|")] for layer in layers]

    def floor(module: str) -> int | None:
        return next(
            (n for n, members in enumerate(floors) if any(f"{module}.".startswith(f"{m}.") for m in members)), None
        )

    upwards = []
    for file in FILES:
        module = dotted(file)
        own = floor(module)
        for imported in imports(file):
            theirs = floor(imported)
            if own is not None and theirs is not None and theirs < own:
                upwards.append(f"{module} imports {imported}")
    assert upwards == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions and under TYPE_CHECKING count as well."""
    files = [*FILES, *sorted((ROOT / "bench").rglob("*.py"))]
    modules = {dotted(file) for file in files}
    circle: list[str] = []
    try:
        TopologicalSorter({dotted(file): imported_modules(file, modules) for file in files}).prepare()
    except CycleError as error:
        circle = error.args[1]
    assert circle == []


def imported_modules(file: Path, modules: set[str]) -> set[str]:
    """The modules of these that a file imports; a package only where something is imported that is not a module."""
    found: set[str] = set()
    for node in nodes(file):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update(names if names <= modules else names | {node.module})
    return found & modules


def test_only_the_border_catches_the_drivers_errors() -> None:
    catchers = [
        f"{name(file)}:{node.lineno}"
        for file in FILES
        if name(file) != "auditctl/database.py"
        for node in nodes(file)
        if isinstance(node, ast.ExceptHandler) and node.type and "psycopg" in ast.unparse(node.type)
    ]
    assert catchers == []


def test_the_library_never_prints_exits_or_reads_the_environment() -> None:
    forbidden = ("print", "exit", "quit", "input", "sys.exit", "os._exit", "os.environ", "os.getenv", "sys.argv")
    last_words = {word.split(".")[-1] for word in forbidden}
    found = [
        f"{name(file)}:{node.lineno}: {ast.unparse(node)}"
        for file in LIBRARY
        for node in nodes(file)
        if isinstance(node, ast.Name | ast.Attribute)
        and (node.id if isinstance(node, ast.Name) else node.attr) in last_words  # to unparse all takes seconds
        and ast.unparse(node) in forbidden
    ]
    found += [
        f"{name(file)}:{node.lineno}: raise SystemExit"
        for file in LIBRARY
        for node in nodes(file)
        if isinstance(node, ast.Raise) and node.exc and ast.unparse(node.exc).startswith("SystemExit")
    ]
    assert found == []


def test_every_module_says_what_it_is_for() -> None:
    modules = {file: nodes(file)[0] for file in FILES}
    assert [name(file) for file, node in modules.items() if not ast.get_docstring(as_module(node))] == []


def as_module(node: ast.AST) -> ast.Module:
    assert isinstance(node, ast.Module)
    return node


def test_no_file_is_over_300_lines() -> None:
    lengths = {name(file): len(file.read_text("utf-8").splitlines()) for file in [*FILES, *TESTS]}
    assert {file: length for file, length in lengths.items() if length > 300} == {}


def test_no_function_is_over_40_lines() -> None:
    long = [
        f"{name(file)}:{node.lineno} {node.name}: {body}"
        for file in FILES
        for node in nodes(file)
        if isinstance(node, ast.FunctionDef) and (body := statement_lines(node)) > 40
    ]
    assert long == []


def statement_lines(node: ast.FunctionDef) -> int:
    """The lines of a function without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_templates_are_short_and_have_no_tag_in_a_comment() -> None:
    for template in sorted((ROOT / "sql" / "templates").glob("*.j2")):
        lines = template.read_text("utf-8").splitlines()
        assert (template.name, len(lines) < 40) == (template.name, True)
        assert [line for line in lines if line.strip().startswith("--") and ("{{" in line or "{%" in line)] == []
