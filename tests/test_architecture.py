"""The house's rules that no single module can hold: who may import whom, and what is where."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from geostore.sqlfiles import store_statements

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "geostore"

# Rooms from the ground up: a room may import only rooms that stand before it.
ORDER = (
    "version",
    "errors",
    "earth",
    "geodesic",
    "one_line",
    "makers",
    "reply",
    "proofs",
    "stated",
    "records",
    "identity",
    "sqlfiles",
    "vendor",
    "text",
    "places",
    "children",
    "imaging",
    "answers",
    "tools",
    "dataset",
    "costs",
    "conversation",
    "teacher",
    "pace",
    "store",
    "rewards",
    "audit",
    "sampling",
    "export",
    "query",
    "verify",
    "importing",
    "show",
    "demo",
    "generate",
    "report",
    "api",
    "cli",
    "__main__",
)
# What only these rooms may know, because it is their job to hide it from the others.
ONLY = {
    "aiohttp": {"teacher"},
    "openai": {"teacher"},
    "httpx2": {"teacher"},
    "yarl": {"teacher"},
    "duckdb": {"query"},
    "sqlite_utils": {"store"},
    "sqlite3": {"store"},
    "typer": {"cli"},
    "prompt_toolkit": {"cli"},
    "rich": {"text", "generate"},
    "PIL": {"imaging", "tools", "conversation", "show", "store", "demo", "api"},
    "datasets": {"dataset", "demo"},
    "h3": {"export"},
}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it, but for type checking alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unseen = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            if module == "geostore":
                yield from (f"geostore.{alias.name}" for alias in node.names)
            else:
                yield module


def test_every_room_has_its_place() -> None:
    rooms = {room_of(path) for path in modules()} - {"__init__"}
    assert rooms == set(ORDER)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    for module in imports(path):
        parts = module.split(".")
        if parts[0] == "geostore" and len(parts) > 1:
            assert ORDER.index(parts[1]) <= ORDER.index(room), f"{room} may not import {parts[1]}"
        elif parts[0] in ONLY:
            assert room in ONLY[parts[0]], f"{room} may not know {parts[0]}"


# Packages whose import has another name than what is installed.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "duckdb_extension_sqlite_scanner": "duckdb-extension-sqlite-scanner",
    "pi_heif": "pi-heif",
    "prompt_toolkit": "prompt-toolkit",
    "sqlite_utils": "sqlite-utils",
    "yaml": "pyyaml",
}


def test_every_direct_import_is_a_named_dependency() -> None:
    """A package that only comes along with another may be gone with its next release."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    requirements = [
        *project["dependencies"],
        *extras["demo"],
        *extras["heif"],
        *extras["tokenizer"],
    ]
    named = {re.split(r"[^\w-]", requirement)[0] for requirement in requirements}
    imported = {module.split(".")[0] for path in modules() for module in imports(path)}
    outside = imported - set(sys.stdlib_module_names) - {"geostore"}
    assert {DISTRIBUTIONS.get(name, name) for name in outside} <= named


def test_the_wheel_has_every_folder_of_the_package_and_names_no_other() -> None:
    """A folder that is not named is missing in the wheel; one that is gone breaks its build."""
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    folders = set()
    for name, root in (("geostore", PACKAGE), ("geostore.sql", ROOT / "sql")):
        files = (path for path in root.rglob("*") if path.is_file())
        parents = {path.parent for path in files if "__pycache__" not in path.parts}
        folders |= {".".join((name, *folder.relative_to(root).parts)) for folder in parents}
    named = setup["setuptools"]["packages"]
    assert folders | {"geostore.sql"} == set(named)
    assert set(setup["setuptools"]["package-data"]) <= set(named)


def test_a_rollout_knows_no_database_and_no_teachers_client() -> None:
    for name in ("generate/rollout", "conversation/machine", "conversation/messages"):
        found = set(imports(PACKAGE / f"{name}.py"))
        assert not found & {
            "geostore.store",
            "geostore.teacher",
            "geostore.generate.journal",
            "sqlite3",
        }


def test_no_test_module_imports_another() -> None:
    """What two of them need stands in a module of helpers, so that each can change alone."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for module in imports(path):
            if module.startswith("tests."):
                assert not module.rpartition(".")[2].startswith("test_"), f"{path} imports {module}"


def test_the_demo_knows_nothing_of_what_it_shows() -> None:
    """The offline teacher gets requests alone: it can import no truth."""
    for path in (PACKAGE / "demo").glob("*.py"):
        for module in imports(path):
            own = module.startswith(
                (
                    "geostore.demo",
                    "geostore.earth",
                    "geostore.errors",
                    "geostore.children",
                    "geostore.places",
                )
            )
            assert own or not module.startswith("geostore")


def test_the_radius_of_the_earth_stands_once() -> None:
    """Places, rewards and near benchmarks have to measure alike. A reward.py stands by itself."""
    holders = [
        str(path.relative_to(PACKAGE))
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in (6371, 6371.0)
    ]
    assert sorted(holders) == ["earth.py", "export/trainers/reward_template.py"]


SQL_WORDS = re.compile(r"\b(select|insert into|update|delete from|create table)\b\s+\w", re.I)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_statements_stand_in_sql_files(path: Path) -> None:
    """A statement in Python is invisible to who reads sql/ to see what a store is asked."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    allowed = {"migrations.py"}  # reads the record of migrations, before there is a schema
    if path.name in allowed or "demo" in path.parts:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            (".execute", ".executemany", ".sql", ".query")
        ):
            for constant in (n for n in ast.walk(node) if isinstance(n, ast.Constant)):
                found = isinstance(constant.value, str) and SQL_WORDS.search(constant.value)
                assert not found, f"{path}:{node.lineno}: {constant.value!r}"


@pytest.mark.parametrize("path", sorted((ROOT / "sql").rglob("*.sql")), ids=lambda p: p.stem)
def test_every_statement_says_what_it_answers_its_grain_and_its_dialect(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    header = comments_at_the_start(text)
    assert header, f"{path} begins with what it answers"
    assert "Dialect:" in header
    if path.parent.name == "store":
        for statement in re.split(r"^-- name: ", text, flags=re.MULTILINE)[1:]:
            name, _, rest = statement.partition("\n")
            assert "Grain:" in comments_at_the_start(rest), f"{path}: {name} says its grain"
    elif path.parent.name != "schema":
        assert "Grain:" in header


def comments_at_the_start(text: str) -> str:
    lines = text.splitlines()
    return "\n".join(itertools.takewhile(lambda line: line.startswith("--"), lines))


def test_every_named_statement_of_the_store_is_run_somewhere() -> None:
    """By its name, as a string in the package; what nobody runs is gone."""
    source = "".join(path.read_text(encoding="utf-8") for path in modules())
    assert [name for name in store_statements() if f'"{name}"' not in source] == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "sql" / "analytics").glob("*.sql")), ids=lambda p: p.stem
)
def test_every_question_has_the_same_form_of_header(path: Path) -> None:
    """What it answers, then its grain, its parameters, its units and its dialect, in this order."""
    first, *rest = itertools.takewhile(
        lambda line: line.startswith("--"), path.read_text(encoding="utf-8").splitlines()
    )
    assert first.endswith((".", "?"))
    words = [match[1] for line in rest if (match := re.match(r"-- (\w+):", line))]
    assert words in (
        ["Grain", "Parameters", "Units", "Dialect"],
        ["Grain", "Parameters", "Units", "Columns", "Dialect"],
    )


def test_no_module_is_asking_to_be_split() -> None:
    """Near 400 lines a module has two jobs."""
    long = {
        str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules()
    }
    assert {name: lines for name, lines in long.items() if lines > 450} == {}


def test_help_answers_without_loading_what_is_heavy() -> None:
    script = (
        "import sys\n"
        "from geostore.cli import app\n"
        "from typer.testing import CliRunner\n"
        "result = CliRunner().invoke(app, ['generate', '--help'])\n"
        "assert result.exit_code == 0, result.output\n"
        "heavy = {'aiohttp', 'datasets', 'openai', 'duckdb', 'sqlite_utils', 'numpy', 'PIL'}\n"
        "heavy |= {'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr
