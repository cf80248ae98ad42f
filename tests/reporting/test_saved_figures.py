"""Figures saved as files: letters of any script, and one warning where no font has them."""

import warnings
from pathlib import Path

import pandas as pd
import pytest

from clv.forecasting.totals import ALL
from clv.reporting import ink
from clv.reporting.figures import Chart
from clv.reporting.grid import Column, Table

COLUMNS = (Column("segment", "Segment", "text"), Column("value", "Value", "money"))


def chart(*names: str) -> Chart:
    frame = pd.DataFrame({"segment": names, "value": 2.0, "value_p05": 1.0, "value_p95": 3.0})
    return Chart(Table("ratios", "What a customer brings", COLUMNS, frame))


def test_letters_that_no_font_has_are_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ink, "_OTHER_SCRIPTS", ())
    with pytest.warns(UserWarning, match="No font that is installed") as caught:
        chart("小红书", "🎁 gifts", "web").save(str(tmp_path / "a.png"))
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chart("Suche & Köln", "Каталог").save(str(tmp_path / "b.png"))
        chart("小红书", "🎁 gifts").save(str(tmp_path / "c.svg"))
    assert "小红书" in (tmp_path / "c.svg").read_text(encoding="utf-8")


def test_fonts_that_are_installed_help_out() -> None:
    from matplotlib.font_manager import fontManager

    first, *others = ink.families()
    assert first == "DejaVu Sans"
    assert set(others) <= {font.name for font in fontManager.ttflist}


@pytest.mark.parametrize(("value", "rows"), [(7.0, 1), (8.0, 2)])
def test_all_customers_are_no_row_where_one_segment_says_the_same(value: float, rows: int) -> None:
    frame = pd.DataFrame({"segment": ["web", ALL], "value": [7.0, value]})
    table = Table("t", "T", COLUMNS, frame, total=True)
    assert len(table.cells()) == rows
    assert table.total == (rows == 2)
