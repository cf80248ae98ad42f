"""What the README tells a reader to type works, and what it shows is what comes out."""

import re
from pathlib import Path

import pytest

import clv

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # it writes a file
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL):
        exec(compile(block, "README.md", "exec"), names)
    assert isinstance(names["forecast"].totals(by="cohort").to_pandas()["clv"].sum(), float)


def test_the_figures_shown_are_the_figures_found(cdnow_study) -> None:
    error = cdnow_study.holdout.contenders["error"]
    shown = re.findall(r"^ {6}(\S.*?) {2,}([\d,]+) +([+−][\d.]+) %$", README, flags=re.MULTILINE)
    assert len(shown) == 5
    for name, forecast, percent in shown:
        assert f"{cdnow_study.holdout.contenders['forecast'][name]:,.0f}" == forecast
        assert f"{error[name]:+.1%}".replace("-", "−") == f"{percent}%"


def test_the_changelog_knows_the_version() -> None:
    changelog = (Path(__file__).parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {clv.__version__}" in changelog
