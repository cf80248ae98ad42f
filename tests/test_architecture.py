"""The house plan: who may import whom, what `import clv` costs, and how large a module may grow."""

import ast
import importlib
import os
import pkgutil
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import clv

ROOT = Path(clv.__file__).parent
MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")
HEAVY = {
    "pymc",
    "pytensor",
    "nutpie",
    "arviz",
    "arviz_stats",
    "xarray",
    "matplotlib",
    "ibis",
    "duckdb",
    "pyspark",
}

# Parts of the package, and what each may import besides itself, errors and units.
_FORECASTING = {"data", "fitting", "models"}
_REPORTING = {"planning", "evaluation", "forecasting"} | _FORECASTING
MAY_IMPORT = {
    "errors": set(),
    "units": set(),
    "models": set(),
    "fitting": {"models"},
    "data": {"models.histories"},
    "forecasting": _FORECASTING,
    "evaluation": {"forecasting"} | _FORECASTING,
    "planning": {"forecasting"} | _FORECASTING,
    "reporting": _REPORTING,
    "datasets": {"reporting"} | _REPORTING,
    "jobs": {"datasets", "reporting"} | _REPORTING,
    "cli": {"jobs", "datasets", "reporting"} | _REPORTING,
}
NUMERICAL = {"models", "fitting"}  # of other packages, NumPy and SciPy only
SAMPLING = {  # but for these, inside functions
    "fitting/nuts.py": {"pymc", "pytensor", "nutpie", "arviz_stats"},
    "fitting/store.py": {"xarray"},
}
USERS = {"jobs", "cli"}  # may use the package by its public names, as anybody does

each_module = pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))


def part(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all that is imported anywhere, functions included; public names by their home."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            for alias in node.names:
                if node.module == "clv" and alias.name != "__version__":
                    yield clv._HOMES.get(alias.name, f"clv.{alias.name}")
                elif node.module != "clv":
                    yield str(node.module)


def at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from at_import(node.orelse)
            continue
        yield node
        for block in ("body", "orelse", "finalbody"):
            yield from at_import(getattr(node, block, []))


@each_module
def test_imports_go_one_way(path):
    own = part(path)
    allowed = {own, "errors", "units"} | MAY_IMPORT[own]
    for name in imports(ast.parse(path.read_text())):
        top, _, inner = name.partition(".")
        if name == "clv":
            assert own in USERS
        elif top == "clv":
            assert any(inner == a or inner.startswith(f"{a}.") for a in allowed), (
                f"{own} may not import {name}"
            )
        elif own in NUMERICAL:
            more = SAMPLING.get(str(path.relative_to(ROOT)), set())
            known = {"numpy", "scipy"} | sys.stdlib_module_names | more
            assert top in known, f"{own} may not import {name}"


@each_module
def test_nothing_heavy_is_imported_with_a_module(path):
    top = [
        n for n in at_import(ast.parse(path.read_text()).body) if isinstance(n, ast.Import | ast.ImportFrom)
    ]
    names = {name.partition(".")[0] for node in top for name in imports(node)}
    assert not names & HEAVY


@each_module
def test_only_one_package_names_an_engine(path):
    """Docstrings and comments may; the manifest lists the versions of packages."""
    if path.is_relative_to(ROOT / "data" / "engines") or path == ROOT / "jobs" / "manifest.py":
        return
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):  # without docstrings
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            del node.body[0]
    assert not re.search("duckdb|postgres|spark|bigquery|snowflake", ast.unparse(tree), re.IGNORECASE)


@each_module
def test_modules_and_functions_stay_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 60, f"{node.name} is too long"


def test_every_part_has_a_rule():
    assert {part(path) for path in MODULES} <= set(MAY_IMPORT)


def test_public_names_survive_the_import_of_every_module():
    for module in pkgutil.walk_packages(clv.__path__, "clv."):
        importlib.import_module(module.name)
    for name in clv.__all__:
        first, second = getattr(clv, name), getattr(clv, name)
        assert first is second
        assert isinstance(first, ModuleType) == (name in clv._MODULES), name


def test_no_module_is_named_like_a_public_name():
    modules = {part(path) for path in MODULES}
    assert modules & set(clv.__all__) == {"datasets"}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'forcast'"):
        _ = clv.forcast
    assert set(clv.__all__) <= set(dir(clv))


def test_importing_the_package_is_cheap():
    code = f"import sys, clv; print(sorted({HEAVY | {'pandas', 'pyarrow'}!r} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT.parent)}
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert found.stdout.strip() == "[]"
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < 0.4
