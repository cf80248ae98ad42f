"""What tables print, and that every number carries its basis."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from clv.errors import ConfigError
from clv.evaluation.backtest import MODEL, OTHER
from clv.evaluation.compare import compare
from clv.evaluation.study import Study
from clv.forecasting.ranges import Level
from clv.forecasting.totals import ALL
from clv.reporting import background, glossary, tables
from clv.reporting import formula_tables as of_formulas
from clv.reporting.grid import Column, Kind, Page, Table, money, show_value
from clv.reporting.pages import pages
from clv.reporting.reviews import Review

EXEMPT = {"findings", "assumptions", "limits", "terms", "columns"}  # words, not figures: they are the basis


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
        (-0.001, "money", "0.00"),  # nothing has no sign
        (-1e-9, "signed", "0.0 %"),
        (4e-4, "signed", "0.0 %"),
        (6e-4, "signed", "+0.1 %"),
        (-0.4, "count", "0"),
        (-0.0049, "ratio", "0.00"),
        ("a-b % c", "text", "a-b % c"),
    ],
)
def test_a_value_prints_as_people_write_it(value: object, kind: Kind, shown: str) -> None:
    assert show_value(math.nan if value is None else value, kind) == shown


@pytest.mark.parametrize(
    ("unit", "shown"),
    [("JPY", ["−1,235", "0"]), ("EUR", ["−1,234.57", "0.40"]), ("KWD", ["−1,234.568", "0.400"])],
)
def test_money_prints_with_the_decimals_of_its_currency(unit: str, shown: list[str]) -> None:
    columns = [Column("v", "V", "money"), Column("v", "V", "exact"), Column("r", "R", "ratio")]
    table = Table("t", "T", columns, pd.DataFrame({"v": [-1234.5678, 0.4], "r": [1.0, 2.0]}), unit=unit)
    assert table.cells() == [[shown[0], shown[0], "1.00"], [shown[1], shown[1], "2.00"]]
    assert money(-1234.5678, unit) == shown[0]


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


@pytest.fixture(scope="module")
def made(small_review: Review) -> list[Page]:
    return pages(small_review)


@pytest.fixture(scope="module")
def everything(made: list[Page]) -> list[Table]:
    return [table for page in made for table in (*page.tables, *page.charts, *page.folded)]


def test_every_table_carries_its_basis(everything: list[Table]) -> None:
    for table in everything:
        assert bool(table.basis) != (table.name in EXEMPT), table.name
        assert table.title
        if table.name not in EXEMPT | {"calibration", "estimates"}:
            assert any(day in table.basis for day in ("2025-12-31", "2025-06-30")) or table.name == "ages", (
                table.name
            )
    names = {table.name for table in everything}
    for by in ("channel", "country", "cohort"):
        assert {f"new_by_{by}", f"quoted_by_{by}", f"existing_by_{by}", f"holdout_by_{by}"} <= names


def test_every_page_says_what_it_found(made: list[Page]) -> None:
    assert [page.id for page in made] == [
        *("decision", "reconciliation", "base", "holdout", "formulas", "bridge", "units", "ages"),
        *("scenarios", "assumptions", "method", "words"),
    ]
    for page in made:
        assert page.finding.strip().endswith("."), page.id
        assert "nan" not in page.finding, page.finding


def test_no_cell_shows_a_raw_nan(everything: list[Table]) -> None:
    for table in everything:
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
    ranked = set(frame.index[frame["gini"].notna()])  # only those who tell customers apart are ranked
    assert ranked == {MODEL, "Own rate", "Own rate with first order"}
    assert set(frame.index[frame["top_decile"].notna()]) == set(frame.index[frame["mae"].notna()]) == ranked


def test_concentration_by_hand(small_study: Study) -> None:
    value = np.sort(small_study.forecast.customers().to_pandas()["clv_mean"])[::-1]
    frame = tables.concentration(small_study).frame.set_index("top")
    assert frame.loc["Top 10 %", "customers"] == 32
    assert frame.loc["Top 10 %", "ahead"] == pytest.approx(value[:32].sum() / value.sum())
    assert frame["ahead"].is_monotonic_increasing
    assert frame.loc["Top 1 %", "customers"] == 3  # of 3.2: the share is of as many as are named
    assert frame.loc["Top 1 %", "ahead"] == pytest.approx(value[:3].sum() / value.sum())
    past = np.sort(small_study.forecast.customers().to_pandas()["historic_value"])[::-1]
    assert frame.loc["Top 1 %", "past"] == pytest.approx(past[:3].sum() / past.sum())


def test_an_empty_formula_2_of_the_holdout_is_explained(small_study: Study) -> None:
    said = "Formula 2 is empty where by its rule of churn nobody had been lost by the cut"
    shown = {
        c.by: of_formulas.holdout_segments(small_study, c)
        for c in small_study.comparisons
        if c.holdout is not None
    }
    empty = {by: bool(table.frame["Formula 2"].isna().any()) for by, table in shown.items()}
    assert empty["rfm_segment"]
    assert not empty["country"]
    assert {by: said in table.basis for by, table in shown.items()} == empty


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
    assert all(name.endswith(" (few)") for name in of_formulas.new_customers(few).frame["segment"][:-1])


def test_a_segment_without_a_fit_of_its_own_has_no_value_by_the_model(small_study: Study) -> None:
    by = {c.by: c for c in small_study.comparisons}
    for comparison, without in ((by["channel"], 9), (by["country"], 1)):
        shown = of_formulas.new_customers(comparison)
        frame, told = shown.frame, comparison.table
        of_the_model = ["model_new", "model_new_discounted", "model_after_cac", "value_to_cac", "ratio"]
        assert frame.loc[ALL, ["model_new", "ratio"]].equals(told.loc[ALL, ["model_new", "ratio"]])
        parts = frame.drop(index=ALL)
        few = told.loc[parts.index, "few"]
        assert few.sum() == without
        for name in of_the_model:
            assert parts.loc[few, name].isna().all(), name
        assert parts.loc[~few, "model_new"].equals(told.loc[parts.index[~few], "model_new"])
        assert parts["formula_1_within"].equals(told.loc[parts.index, "formula_1_within"])
        assert told["model_new"].notna().all()  # what planning takes stays, and says whose it is
        said = "The model is not shown for segments of fewer than 100 customers: see that of all customers."
        charged = of_formulas.after_cac(comparison)
        tables_of_it = [shown, of_formulas.quoted_formulas(comparison), *([charged] if charged else [])]
        assert all(said in table.basis for table in tables_of_it)
    table = by["country"].table.drop(index=OTHER)
    table.loc["AT", "own_fit"] = False
    odd = of_formulas.new_customers(dataclasses.replace(by["country"], table=table))
    assert "not shown for segments whose customers determine no fit: see that" in odd.basis
    assert list(odd.frame["model_new"].isna()) == [True, False, False]
    alone = table.drop(index="CZ")
    alone["customers"] = alone["customers"].max()  # one segment, which is the whole base
    assert not tables.borrowed(alone).any()


def test_segments_that_may_know_the_future_of_a_new_customer_say_so(small_study: Study) -> None:
    ahead = small_study.forecast
    rfm = dataclasses.replace(ahead.rfm, undated=("country",))
    told = compare(dataclasses.replace(ahead, rfm=rfm), small_study.economics, "country")
    plain = next(c for c in small_study.comparisons if c.by == "country")
    said = (
        " The customers table says what customers are now, which may know what came after the first order: "
        "where it does, nobody knows which of these a new customer will be."
    )
    made = of_formulas.new_customers, of_formulas.quoted_formulas, of_formulas.annuities
    for make in made:
        assert (said in make(told).basis, said in make(plain).basis) == (True, False)


def test_bands_of_fits_without_draws_say_what_they_leave_out(small_study: Study) -> None:
    ahead = dataclasses.replace(small_study.forecast, levels=Level.of((0.8, 1.0, 1.3)))
    uneven = compare(ahead, small_study.economics, "country")
    plain = next(c for c in small_study.comparisons if c.by == "country")
    left = "not how sure their own fits are"
    assert uneven.table["model_new_p95"].notna().any()
    assert left in of_formulas.new_customers(uneven).basis
    assert left not in of_formulas.new_customers(plain).basis


def test_formula_1_of_the_young_is_marked(small_study: Study) -> None:
    country = next(c for c in small_study.comparisons if c.by == "country")
    assert "(young)" not in of_formulas.new_customers(country).basis
    table = country.table.drop(index=OTHER)
    days, first = 365, "AT"
    table.loc[first, "exposure_days"] = (days - 1) * table.loc[first, "customers"]
    table.loc[ALL, "exposure_days"] = table.loc[first, "exposure_days"]
    young = dataclasses.replace(country, table=table)
    for shown in (of_formulas.new_customers(young), of_formulas.quoted_formulas(young)):
        assert list(shown.frame["segment"]) == ["AT (young)", "CZ", ALL]
        assert "(young): customers are on average younger than 12 months, and formula 1" in shown.basis
    table.loc[first, "exposure_days"] = days * table.loc[first, "customers"]
    assert list(of_formulas.new_customers(young).frame["segment"]) == list(table.index)
    table["few"] = table.index == first
    table.loc[first, "exposure_days"] = 0
    assert of_formulas.new_customers(young).frame["segment"].iloc[0] == "AT (few, young)"


def test_cac_columns_stand_only_where_a_cac_is_known(small_study: Study) -> None:
    by = {
        c.by: [column.key for column in of_formulas.new_customers(c).columns] for c in small_study.comparisons
    }
    charged = {c.by: of_formulas.after_cac(c) for c in small_study.comparisons}
    plain = [
        *("segment", "customers", "aov", "orders_within", "churn"),
        *("formula_1_within", "formula_2_within", "model_new", "ratio"),
    ]
    held = ["held_model", "held_actual", "held_inside"]
    assert by["country"] == by["channel"] == [*plain, *held]
    assert charged["country"] is None
    assert charged["channel"] is not None
    keys = ["cac", "formula_1_charged", "formula_1_after_cac", "model_new_discounted", "model_after_cac"]
    assert [column.key for column in charged["channel"].columns] == ["segment", "customers", *keys]


def test_both_forms_of_formula_1_stand_beside_the_model_at_its_horizon(small_study: Study) -> None:
    channel = next(c for c in small_study.comparisons if c.by == "channel")
    made = of_formulas.after_cac(channel)
    assert made is not None
    known = made.frame.dropna(subset=["cac"])
    value = known["aov"] * known["orders_within"]
    assert known["formula_1_charged"].to_numpy() == pytest.approx(((value - known["cac"]) * 0.4).to_numpy())
    after = value * 0.4 - known["cac"]
    assert known["formula_1_after_cac"].to_numpy() == pytest.approx(after.to_numpy())


def test_the_holdout_stands_beside_the_value_of_each_segment(small_study: Study) -> None:
    country = next(c for c in small_study.comparisons if c.by == "country")
    held, frame = country.holdout, of_formulas.new_customers(country).frame
    assert held is not None
    for name, row in frame.iterrows():
        each = held.loc[name, [MODEL, "actual"]] / held.loc[name, "customers"]
        found = row[["held_model", "held_actual"]]
        assert found.tolist() == pytest.approx(each.tolist())
        assert row["held_inside"] == ("yes" if held.loc[name, "inside"] else "no")
    gone = dataclasses.replace(country, holdout=held.drop(index="CZ"))  # nobody was in it at the cut
    shown = of_formulas.new_customers(gone)
    assert shown.frame.loc["CZ", "held_inside"] == "–"
    assert "Hold-out: revenue a customer of the 320 known on 2025-06-30" in shown.basis
    bare = of_formulas.new_customers(dataclasses.replace(country, holdout=None))
    assert "Hold-out" not in bare.basis + " ".join(column.label for column in bare.columns)


def test_annuities_are_those_of_each_convention_summed(small_study: Study) -> None:
    """Payments of one customer, period by period, until nothing is left."""
    economics = dataclasses.replace(small_study.economics, churn="period:90d", discount=0.2)
    channel = next(c for c in small_study.comparisons if c.by == "channel")
    made = of_formulas.annuities(dataclasses.replace(channel, economics=economics), "EUR")
    d = 1.2 ** (90 / 365.25) - 1
    assert f"d = {100 * d:.2f} % a period" in made.basis
    frame = made.frame.dropna(subset=["formula_2"])
    assert len(frame) > 1
    for _, row in frame.iterrows():
        m, r = row["aov"] * row["frequency"] * economics.margin, row["kept"]
        times = np.arange(4000)
        kept = m * r**times
        assert row["due"] == pytest.approx(np.sum(kept / (1 + d) ** times))
        assert row["ordinary"] == pytest.approx(np.sum(kept / (1 + d) ** (times + 1)))
        assert row["residual"] == pytest.approx(np.sum(kept[1:] / (1 + d) ** times[1:]))
        assert row["formula_2"] == pytest.approx(np.sum(kept))


def test_formulas_as_quoted_stand_in_a_table_of_their_own(small_study: Study) -> None:
    by = {c.by: of_formulas.quoted_formulas(c, "EUR") for c in small_study.comparisons}
    keys = {name: [column.key for column in table.columns] for name, table in by.items()}
    start, end = (
        ["segment", "aov", "orders_per_customer"],
        ["frequency", "churn", "formula_2", "model_new_discounted"],
    )
    assert keys["country"] == [*start, *end]
    assert keys["channel"] == [*start, "cac", "formula_1", "uncharged", "formula_1_contribution", *end]
    assert "40 % margin in EUR, as of 2025-12-31" in by["channel"].basis
    frame = by["channel"].frame
    known = frame[frame["cac"].notna()]
    assert len(known) == 8
    value = known["aov"] * known["orders_per_customer"]
    assert known["formula_1"].to_numpy() == pytest.approx(((value - known["cac"]) * 0.4).to_numpy())
    assert known["formula_1_contribution"].to_numpy() == pytest.approx(
        (value * 0.4 - known["cac"]).to_numpy()
    )
    assert known["uncharged"].to_numpy() == pytest.approx((known["cac"] * 0.6).to_numpy())


def test_value_after_cac_is_the_discounted_model_less_cac(small_study: Study) -> None:
    channel = next(c for c in small_study.comparisons if c.by == "channel")
    frame = channel.table.drop(index=ALL)
    known = frame[frame["cac"].notna()]
    assert len(known) == 8
    after = known["model_new_discounted"] - known["cac"]
    assert known["model_after_cac"].to_numpy() == pytest.approx(after.to_numpy())
    ratio = known["model_new_discounted"] / known["cac"]
    assert known["value_to_cac"].to_numpy() == pytest.approx(ratio.to_numpy())


def test_the_holdout_by_segment_adds_up_to_the_whole(small_study: Study) -> None:
    assert small_study.holdout is not None
    country = next(c for c in small_study.comparisons if c.by == "country")
    frame = of_formulas.holdout_segments(small_study, country).frame
    parts, whole = frame.drop(index=ALL), frame.loc[ALL]
    for name in ("actual", MODEL, "Own rate"):
        total = (parts[name] * parts["customers"]).sum()
        assert total == pytest.approx(whole[name] * whole["customers"]), name
    assert whole["actual"] * whole["customers"] == pytest.approx(small_study.holdout.actual_spend)
    assert whole["error"] == pytest.approx(small_study.holdout.model_error)
    assert list(frame.columns[frame.columns == "segment"]) == ["segment"]
    assert [n.endswith(" (few)") for n in frame["segment"]] == (frame["customers"] < 100).to_list()


def test_no_holdout_by_segments_without_one(small_study: Study) -> None:
    bare = dataclasses.replace(small_study.comparisons[0], holdout=None)
    with pytest.raises(ConfigError, match=r"C007 there is no hold-out by channel") as caught:
        of_formulas.holdout_segments(small_study, bare)
    assert caught.value.exit_status == 2


def test_rates_in_a_basis_print_as_chosen(small_study: Study, cdnow_study: Study) -> None:
    assert "30 % margin" in cdnow_study.comparisons[0].basis
    table = of_formulas.new_customers(cdnow_study.comparisons[0], "USD")
    assert "30 % margin in USD" in table.basis
    odd = dataclasses.replace(small_study.economics, margin=0.125, discount=0.15)
    first = dataclasses.replace(small_study.comparisons[0], economics=odd)
    charged = of_formulas.after_cac(first, "EUR")
    assert charged is not None
    assert "12.5 % margin in EUR; discounted: 15 % a year" in charged.basis
    for made in (of_formulas.new_customers(first), of_formulas.quoted_formulas(first)):
        assert "12.5 % margin" in made.basis


def test_assumptions_print_rates_as_chosen(small_study: Study) -> None:
    odd = dataclasses.replace(small_study.economics, margin=0.125, discount=0.15, churn=0.3)
    frame = background.assumptions(dataclasses.replace(small_study, economics=odd)).frame
    said = frame.set_index("what")["value"]
    assert said["Margin"] == "12.5 % of revenue, the same for every customer"
    assert said["Discount rate"] == "15 % a year; a year has 365.25 days"


def test_estimates_are_those_of_the_fits(small_study: Study) -> None:
    table = background.estimates(small_study)
    frame = table.frame.set_index("parameter")
    for fit in (small_study.purchase, small_study.spend):
        for name, value in fit.parameters.items():
            assert frame.loc[name, "value"] == value
            assert (frame.loc[name, "low"], frame.loc[name, "high"]) == fit.intervals()[name]
    assert len(frame) == 7
    assert "Time in weeks, money in EUR" in table.basis
    again = int((small_study.rfm.to_pandas()["repeat_spend"] > 0).sum())
    assert again < small_study.spend.customers
    assert f"; {again:,} of them have repeat spend" in table.basis


def test_a_formula_that_is_left_out_says_why(small_study: Study) -> None:
    first = small_study.comparisons[0]
    assert "is empty" not in of_formulas.new_customers(first).basis
    table = first.table.copy()
    table.loc[table.index[0], "formula_2"] = math.nan
    told = dataclasses.replace(first, table=table)
    for made in (of_formulas.new_customers(told), of_formulas.quoted_formulas(told)):
        assert "Formula 2 of a segment is empty where nobody was lost" in made.basis
        assert "younger than its period of 365 days" in made.basis
        assert "shown all the same" not in made.basis
    table.loc[ALL, "exposure_days"] = 100 * table.loc[ALL, "customers"]
    assert "All customers are younger too" in of_formulas.new_customers(told).basis


def test_ages_have_the_level_of_the_forecast(small_study: Study) -> None:
    plain = tables.ages(small_study)
    study = dataclasses.replace(
        small_study, forecast=dataclasses.replace(small_study.forecast, levels=Level.of(0.7))
    )
    off = tables.ages(study)
    assert off.frame["model"].to_numpy() == pytest.approx(0.7 * plain.frame["model"].to_numpy())
    assert off.frame["actual"].equals(plain.frame["actual"])
    compared = compare(study.forecast, study.economics, "channel").table
    assert off.frame.set_index("months").loc[12, "model"] == pytest.approx(compared.loc[ALL, "model_new"])
    assert "value at 0.700 of the model's level" in off.basis
    assert "level" not in plain.basis


def test_the_level_is_among_the_words() -> None:
    meanings = glossary.terms().frame.set_index("word")["meaning"]
    assert "past misses say how far" in meanings["Level"]
