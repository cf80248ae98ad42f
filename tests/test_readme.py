"""What the README tells a reader to type works, and what it shows is what comes out."""

import re
from pathlib import Path
from typing import get_args

import pytest

import clv
from clv.jobs.config import Config

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # it writes a file
    # Every line runs on a tenth of the customers as it does on all; figures are looked at below, on all.
    monkeypatch.setattr(clv.datasets, "load_cdnow", clv.datasets.load_cdnow_sample)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL):
        exec(compile(block, "README.md", "exec"), names)
    assert isinstance(names["forecast"].totals(by="cohort").to_pandas()["clv"].sum(), float)


def test_the_figures_shown_are_the_figures_found() -> None:
    """Those of the demo: its config takes the likeliest model, which is MBG/NBD, and draws."""
    orders = clv.Transactions(clv.datasets.load_cdnow(), as_of="1998-06-30", duplicates="keep")
    held = clv.split(orders, "1997-09-30")
    tested = clv.evaluate_holdout(held, clv.Economics(0.30, 0.15), clv.Inference("laplace"), clv.MBGNBD)
    error = tested.contenders["error"]
    shown = re.findall(r"^ {6}(\S.*?) {2,}([\d,]+) +([+−][\d.]+) %$", README, flags=re.MULTILINE)
    assert len(shown) == 5
    for name, forecast, percent in shown:
        assert f"{tested.contenders['forecast'][name]:,.0f}" == forecast
        assert f"{error[name]:+.1%}".replace("-", "−") == f"{percent}%"


def test_the_keys_shown_are_keys_of_the_config() -> None:
    rows = re.findall(r"^\| `\[(\w+)\]` (.*?) \|", README, flags=re.MULTILINE)
    assert {name for name, _ in rows} >= {"input", "segments", "fit", "backtest", "plan", "budget", "report"}
    for name, keys in rows:
        section = Config.model_fields[name].annotation
        section = next((k for k in get_args(section) if k is not type(None)), section)
        assert set(re.findall(r"`\.?(\w+)`", keys)) <= set(section.model_fields), name


def test_the_changelog_knows_the_version() -> None:
    changelog = (Path(__file__).parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {clv.__version__}" in changelog
