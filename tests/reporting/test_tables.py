"""What tables print, and that every number carries its basis."""

import math

import numpy as np
import pandas as pd
import pytest

from clv.evaluation.inputs import ALL
from clv.evaluation.study import Study
from clv.reporting import tables
from clv.reporting.grid import Column, Kind, Table, show_value
from clv.reporting.pages import pages

EXEMPT = {"findings", "assumptions"}  # words, not figures: they are the basis


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (1234567, "count", "1,234,567"),
        (-3, "count", "−3"),
        (9999.994, "money", "9,999.99"),
        (-12345.6, "money", "−12,345.60"),
        (12345.678, "exact", "12,345.68"),
        (0.1234, "share", "12.3 %"),
        (0.1234, "signed", "+12.3 %"),
        (-0.173, "signed", "−17.3 %"),
        (1.5, "ratio", "1.50"),
        (0.24259, "number", "0.243"),
        (math.nan, "money", "–"),
        (None, "money", "–"),
        (np.float64("nan"), "signed", "–"),
        (math.inf, "money", "∞"),
        ("a-b % c", "text", "a-b % c"),
    ],
)
def test_a_value_prints_as_people_write_it(value: object, kind: Kind, shown: str) -> None:
    assert show_value(math.nan if value is None else value, kind) == shown


def test_cells_follow_the_columns() -> None:
    frame = pd.DataFrame({"name": ["a", "b"], "unused": [1, 2], "value": [-1.0, math.nan]})
    table = Table("t", "T", (Column("value", "Value", "money"), Column("name", "Name", "text")), frame)
    assert table.cells() == [["−1.00", "a"], ["–", "b"]]


def test_a_column_of_large_sums_prints_without_decimals_all_of_it() -> None:
    frame = pd.DataFrame({"large": [10_000.4, -1.6], "small": [9_999.4, 1.6], "ledger": [10_000.4, 1.6]})
    kinds: dict[str, Kind] = {"large": "money", "small": "money", "ledger": "exact"}
    table = Table("t", "T", [Column(name, name, kind) for name, kind in kinds.items()], frame)
    assert table.cells() == [["10,000", "9,999.40", "10,000.40"], ["−2", "1.60", "1.60"]]


def test_an_infinite_value_does_not_take_the_decimals_of_its_column() -> None:
    table = Table("t", "T", [Column("v", "V", "money")], pd.DataFrame({"v": [math.inf, 1.25, math.nan]}))
    assert table.cells() == [["∞"], ["1.25"], ["–"]]


def everything(study: Study) -> list[Table]:
    return [table for page in pages(study) for table in (*page.tables, *page.charts, *page.folded)]


def test_every_table_carries_its_basis(small_study: Study) -> None:
    for table in everything(small_study):
        assert bool(table.basis) != (table.name in EXEMPT), table.name
        assert table.title
        if table.name not in EXEMPT | {"calibration", "estimates"}:
            assert any(day in table.basis for day in ("2025-12-31", "2025-06-30")) or table.name == "ages", (
                table.name
            )
    names = {table.name for table in everything(small_study)}
    for by in ("channel", "country", "cohort"):
        assert {f"new_by_{by}", f"existing_by_{by}", f"holdout_by_{by}"} <= names


def test_every_page_says_what_it_found(small_study: Study) -> None:
    made = pages(small_study)
    assert [page.id for page in made] == [
        *("decision", "reconciliation", "holdout", "formulas", "existing", "concentration", "ages"),
        *("assumptions", "method"),
    ]
    for page in made:
        assert page.finding.strip().endswith("."), page.id
        assert "nan" not in page.finding, page.finding


def test_no_cell_shows_a_raw_nan(small_study: Study) -> None:
    for table in everything(small_study):
        for row in table.cells():
            assert len(row) == len(table.columns)
            assert not {"nan", "inf", "None", "", "-"} & {cell.lower() for cell in row[:1]}, (table.name, row)
            assert not any(cell in ("nan", "inf", "-inf", "None") for cell in row), (table.name, row)


def test_reconciliation_closes(small_study: Study) -> None:
    frame = tables.reconciliation(small_study.orders).frame.set_index("reason")
    rest = frame.drop(index="rows in")
    assert rest["rows"].sum() == frame.loc["rows in", "rows"]
    assert rest["money"].sum() == pytest.approx(frame.loc["rows in", "money"])
    assert frame["share"].drop(index="rows in").sum() == pytest.approx(1)


def test_contenders_are_sorted_by_their_error(small_study: Study) -> None:
    frame = tables.contenders(small_study).frame
    assert frame["error"].abs().is_monotonic_increasing
    assert len(frame) == 8
    assert frame["gini"].notna().sum() == 2  # only those who tell customers apart are ranked


def test_concentration_by_hand(small_study: Study) -> None:
    value = np.sort(small_study.forecast.customers().to_pandas()["clv_mean"])[::-1]
    frame = tables.concentration(small_study).frame.set_index("top")
    assert frame.loc["Top 10 %", "customers"] == 32
    assert frame.loc["Top 10 %", "ahead"] == pytest.approx(value[:32].sum() / value.sum())
    assert frame["ahead"].is_monotonic_increasing


def test_ages_start_with_the_first_order_and_follow_what_was_seen(
    small_study: Study, small_log: pd.DataFrame
) -> None:
    frame, margin = tables.ages(small_study).frame, small_study.economics.margin
    first = small_log.drop_duplicates("customer_id")["amount"].mean()
    assert frame["actual"].iloc[0] == pytest.approx(first * margin)
    assert frame["formula_1"].iloc[0] == pytest.approx(frame["formula_1"].min())
    assert frame["formula_2"].iloc[0] == 0
    assert frame["model"].is_monotonic_increasing
    assert frame["months"].iloc[-1] >= 36
    assert frame["actual"].isna().iloc[-1]  # nobody has lived so long yet


def test_segments_keep_their_order_and_end_with_the_whole(small_study: Study) -> None:
    rfm = next(c for c in small_study.comparisons if c.behavioural)
    shown = list(tables.existing_customers(small_study, rfm).frame["segment"])
    assert shown[-1] == ALL
    assert shown[0].startswith("Repeat, high value")
    few = next(c for c in small_study.comparisons if c.by == "channel")
    assert all(name.endswith(" (few)") for name in tables.new_customers(few).frame["segment"][:-1])


def test_cac_columns_stand_only_where_a_cac_is_known(small_study: Study) -> None:
    by = {c.by: {column.key for column in tables.new_customers(c).columns} for c in small_study.comparisons}
    assert {"cac", "formula_1", "formula_1_contribution"} <= by["channel"]
    assert not {"cac", "formula_1", "formula_1_contribution"} & by["country"]
