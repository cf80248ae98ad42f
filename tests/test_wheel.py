"""The wheel carries what the command needs, and works without the source tree beside it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
ALONE = ("--quiet", "--no-deps", "--no-index")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run(*PIP, "wheel", str(ROOT), "--no-build-isolation", *ALONE, "--wheel-dir", str(folder))
    (built,) = folder.glob("clv-*.whl")
    return built


def _run(*command: str, **options: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    output: str = done.stdout
    return output


def test_it_carries_data_and_examples_and_nothing_of_the_house(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("data", "examples"):
        files = {f"clv/datasets/{folder}/{path.name}" for path in (ROOT / folder).iterdir() if path.is_file()}
        assert files
        assert files <= names
    modules = {f"clv/{path.relative_to(ROOT / 'src/clv')}" for path in (ROOT / "src/clv").rglob("*.py")}
    assert modules | {"clv/py.typed"} <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"clv"}
    assert not {part for name in names for part in Path(name).parts} & {"tests", "__pycache__", ".ci"}


def test_init_and_check_run_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "installed"
    _run(*PIP, "install", str(wheel), *ALONE, "--target", str(home))
    alone = {"env": {**os.environ, "PYTHONPATH": str(home)}, "cwd": tmp_path}
    found = _run(sys.executable, "-c", "import clv; print(clv.__file__)", **alone)
    assert Path(found.strip()).is_relative_to(home)
    command = (sys.executable, str(home / "bin" / "clv"))
    _run(*command, "init", "start", **alone)
    assert "The data can be used" in _run(*command, "check", "start/cdnow.toml", **alone)
