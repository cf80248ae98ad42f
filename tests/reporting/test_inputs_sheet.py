"""Acquisition costs of the workbook: a cell for each that is given, formulas for the others."""

import dataclasses
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from clv.evaluation.compare import compare
from clv.forecasting.totals import ALL
from clv.reporting.pages import pages
from clv.reporting.reviews import Review
from clv.reporting.workbook import write


@pytest.fixture(scope="module")
def measured(small_review: Review) -> Review:
    """The review with a cost of all customers that is more than the mean of the segments'."""
    study = small_review.study
    cac = dict.fromkeys(small_review.comparison.members, 5.0) | {ALL: 20.0}
    economics = dataclasses.replace(study.economics, cac=cac)
    told = [compare(study.forecast, economics, c.by, draws=False) for c in study.comparisons]
    found = dataclasses.replace(study, economics=economics, comparisons=told)
    return dataclasses.replace(small_review, study=found)


def cell(sheet: Any, name: str, column: int) -> Any:
    rows = [row for row in sheet.iter_rows(values_only=True) if row[0] == name]
    return rows[-1][column]


def test_a_cost_of_all_customers_that_is_given_is_no_mean(
    measured: Review, small_review: Review, tmp_path: Path
) -> None:
    write(measured, pages(measured)[:1], "Shop", tmp_path / "given.xlsx")
    book = openpyxl.load_workbook(tmp_path / "given.xlsx")
    assert cell(book["Inputs"], ALL, 1) == 20
    column = [c.value for c in book["Formulas by channel"][4]].index("CAC")
    for name in ("Formulas by channel", "Formulas by country"):
        assert "Inputs" in cell(book[name], ALL, column)
    write(small_review, pages(small_review)[:1], "Shop", tmp_path / "mean.xlsx")
    book = openpyxl.load_workbook(tmp_path / "mean.xlsx")
    assert "SUMPRODUCT" in cell(book["Formulas by channel"], ALL, column)
