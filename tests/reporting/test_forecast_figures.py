"""Figures of forecasts, totals and back-tests: their tables are the models' own, and they can be read."""

import dataclasses
import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import clv
from clv.errors import ConfigError
from clv.evaluation.results import Backtest
from clv.forecasting.customers import Forecast
from clv.forecasting.ranges import Level
from clv.forecasting.totals import Totals
from clv.forecasting.value import value_of_new
from clv.models.histories import PurchaseHistory
from clv.reporting.figures import Chart, svg
from clv.reporting.ink import INK, STYLES, brief, in_sums

FORECAST = ("quarters", "p_alive", "frequency_recency", "concentration", "value_by_age")
BACKTEST = ("tracking", "cumulative", "deciles", "p_purchase", "pit")
MARGIN, DISCOUNT = 0.3, 0.15


@pytest.fixture(scope="module")
def drawn(sample_rfm: clv.RFM) -> Forecast:
    fits = [clv.fit(kind, sample_rfm, method="laplace", draws=300) for kind in (clv.BGNBD, clv.GammaGamma)]
    return clv.forecast(*fits, sample_rfm, "12m", margin=MARGIN, discount=DISCOUNT)


@pytest.fixture(scope="module")
def certain(sample_fits: Any, sample_rfm: clv.RFM) -> Forecast:
    return clv.forecast(*sample_fits, sample_rfm, "12m", margin=MARGIN, discount=DISCOUNT)


@pytest.fixture(scope="module")
def planned(certain: Forecast) -> Totals:
    plan = pd.DataFrame({"period": ["1997-Q4", "1998-Q1"], "customers": [300, 200]})
    return certain.totals(period="Q", plan=plan)


@pytest.fixture(scope="module")
def charts(drawn: Forecast, planned: Totals, tested: Backtest) -> list[Chart]:
    made = [clv.show(drawn, name) for name in FORECAST]
    return [*made, clv.show(planned), clv.show(planned, "segments"), *(clv.show(tested, n) for n in BACKTEST)]


def frame(source: Any, name: str | None = None) -> pd.DataFrame:
    return clv.show(source, name).table.frame


def test_every_figure_has_a_title_and_says_what_it_counts(charts: list[Chart]) -> None:
    for chart in charts:
        assert chart.table.title
        assert re.search(r"\d{4}-\d\d-\d\d", chart.table.basis), chart
        assert re.search(r"customers", chart.table.basis), chart
        assert chart.table.basis in chart._repr_html_()
        assert not {"nan", "inf", "None"} & {cell for row in chart.table.cells() for cell in row}


def test_every_figure_draws_with_its_title_and_basis_where_it_stands_alone(charts: list[Chart]) -> None:
    for chart in charts:
        assert ET.fromstring(svg(chart.table)).tag.endswith("svg")
        figure = chart.figure()
        assert figure.get_suptitle().replace("\n", " ") == chart.table.title
        assert figure.get_supxlabel().replace("\n", " ") == chart.table.basis


def test_nothing_is_cut_off_and_no_two_labels_of_an_axis_overlap(charts: list[Chart]) -> None:
    for chart in charts:
        figure = chart.figure()
        figure.draw_without_rendering()
        page = figure.bbox
        (ax,) = figure.axes
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [t for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
            boxes = [t.label1.get_window_extent() for t in ticks if t.label1.get_text()]
            for box in boxes:
                assert box.x0 > page.x0 - 1, chart
                assert box.x1 < page.x1 + 3, chart
            if not any(t.get_rotation() for t in axis.get_ticklabels()):
                for one, two in pairwise(boxes):
                    assert not one.overlaps(two), chart


@pytest.mark.parametrize(("one", "two"), [("model", "new"), ("model", "actual")])
def test_what_stands_together_differs_in_lightness(one: str, two: str) -> None:
    light = [np.dot((0.2126, 0.7152, 0.0722), to_rgb(STYLES[name]["color"])) for name in (one, two)]
    assert abs(light[0] - light[1]) > 0.2


def test_numbers_in_cells_keep_their_colour_in_the_dark(drawn: Forecast) -> None:
    text = svg(clv.show(drawn, "p_alive").table)
    cells = re.findall(r'<text style="([^"]*)"[^>]*>\d+ %</text>', text)
    assert len(cells) > 40
    assert not any("currentColor" in style or INK in style for style in cells)


def test_quarters_are_the_totals(drawn: Forecast, charts: list[Chart]) -> None:
    table = drawn.totals(period="Q").to_pandas().iloc[:-1]
    shown, basis = charts[0].table.frame, charts[0].table.basis
    for name, column in {"total": "revenue", "low": "revenue_p05", "high": "revenue_p95"}.items():
        assert shown[name].to_numpy() == pytest.approx(table[column].to_numpy())
    assert (shown["existing"] == shown["total"]).all()
    assert "new" not in shown
    assert list(shown["row"]) == ["1997-Q4", "1998-Q1", "1998-Q2", "1998-Q3"]
    assert "2,357 existing customers, next 12 months after 1997-09-30; revenue" in basis
    assert (
        "before margin and undiscounted; bands: 5 to 95 % of chance and parameters, not of seasons or drift."
        in basis
    )


def test_new_customers_stand_on_existing_ones(planned: Totals) -> None:
    shown = frame(planned)
    assert (shown["existing"] + shown["new"]).to_numpy() == pytest.approx(shown["total"].to_numpy())
    assert (shown["new"] > 0).all()
    whole = planned.table[planned.table["population"] == "all"].set_index("period").loc[shown["row"]]
    assert shown["high"].to_numpy() == pytest.approx(whole["revenue_p95"].to_numpy())
    assert "and new customers as planned" in clv.show(planned).table.basis
    bars = [b.get_height() for c in clv.show(planned).figure().axes[0].containers[:2] for b in c]  # type: ignore[attr-defined]
    assert sum(bars) == pytest.approx(shown["total"].sum())


@pytest.mark.parametrize(
    ("period", "start", "title", "first"),
    [
        ("M", 1, "month", "1997-10"),
        ("Q", 2, "quarter", "FY1998-Q3 (part)"),
        ("Y", 1, "year", "1997 (part)"),
        ("Y", 2, "year", "FY1998 (part)"),
    ],
)
def test_periods_of_any_length(certain: Forecast, period: str, start: int, title: str, first: str) -> None:
    chart = clv.show(certain.totals(period=period, fiscal_year_start=start), "quarters")
    assert chart.table.title == f"Expected revenue by {title}"
    assert chart.table.frame["row"].iloc[0] == first


def test_segments_are_the_totals_the_largest_first(small_study: Any) -> None:
    totals = small_study.forecast.totals("country", period="Q")
    shown = frame(totals, "segments")
    table = totals.table[(totals.table["period"] == "Whole horizon")].set_index("country")
    assert list(shown["row"]) == list(table.drop(index="All customers")["clv"].sort_values()[::-1].index)
    assert shown["low"].to_numpy() == pytest.approx(table.loc[shown["row"], "clv_p05"].to_numpy())
    quarters = frame(totals)  # of all customers
    assert quarters["total"].sum() == pytest.approx(table.loc["All customers", "revenue"])


def test_totals_without_segments_have_one_bar(certain: Forecast) -> None:
    totals = certain.over("lifetime").totals()
    shown = frame(totals)
    assert list(shown["row"]) == ["All customers"]
    assert shown["total"].iloc[0] == pytest.approx(totals.table["clv"].iloc[0])
    with pytest.raises(ConfigError, match="C001 there is no figure 'quarters'; there are segments"):
        clv.show(totals, "quarters")


def test_maps_equal_the_model_asked_cell_by_cell(certain: Forecast, sample_rfm: clv.RFM) -> None:
    age = float(np.quantile(sample_rfm.to_pandas()["T"], 0.5, method="inverted_cdf"))
    model, unit = certain.purchase.model, certain.purchase.unit
    alive, orders = frame(certain, "p_alive"), frame(certain, "frequency_recency")
    assert len(alive) > 40
    for (_, row), (_, also) in zip(alive.iterrows(), orders.iterrows(), strict=True):
        if row["recency"] < row["frequency"]:  # no room for so many days
            assert np.isnan(row["p_alive"])
            continue
        h = PurchaseHistory(row["frequency"], row["recency"] / unit, age / unit)
        assert row["age"] == age
        assert row["p_alive"] == pytest.approx(model.p_alive(h)[0])
        assert also["frequency_recency"] == pytest.approx(model.expected_purchases(h, 365 / unit)[0])
    months = age - alive["recency"][:-1]
    assert (months / alive["since"].replace(0, np.nan)[:-1]).dropna().nunique() < 10
    assert (
        "One who has not ordered again: 100.0 %, as in this model" in clv.show(certain, "p_alive").table.basis
    )


def test_maps_of_draws_are_means_over_draws(drawn: Forecast) -> None:
    row = frame(drawn, "p_alive").iloc[7]
    h = PurchaseHistory(row["frequency"], row["recency"] / 7, row["age"] / 7)
    assert row["p_alive"] == pytest.approx(drawn.purchase.model.p_alive(h).mean(), abs=2e-3)


def test_a_map_of_parameters_by_group_is_refused(certain: Forecast) -> None:
    grouped = dataclasses.replace(certain, purchase=dataclasses.replace(certain.purchase, groups=("a", "b")))
    with pytest.raises(ConfigError, match="C012 a map is of one set of parameters"):
        clv.show(grouped, "p_alive")


def test_concentration_by_hand(certain: Forecast) -> None:
    value = np.sort(certain.customers(bands=False).to_pandas()["clv_mean"].to_numpy())[::-1]
    shown = frame(certain, "concentration").set_index("share")
    count = shown.loc[0.2, "customers"]
    assert count == round(0.2 * len(value)) != 0.2 * len(value)
    assert shown.loc[0.2, "value"] == pytest.approx(value[:count].sum() / value.sum())
    assert (shown["value"].iloc[0], shown["value"].iloc[-1]) == (0, pytest.approx(1))
    assert shown["value"].is_monotonic_increasing
    assert (np.diff(shown["value"]) / np.diff(shown.index) > 0).all()
    assert shown.loc[0.5, "customers"] == 1178


def test_value_by_age_is_that_of_a_new_customer(certain: Forecast, sample_rfm: clv.RFM) -> None:
    table = clv.show(certain, "value_by_age").table
    shown = table.frame.set_index("months")
    terms = {"margin": MARGIN, "discount": DISCOUNT}
    assert shown.loc[0, "value"] == pytest.approx(MARGIN * sample_rfm.first_order)
    for m in (1, 12, 24):
        said = value_of_new(certain.purchase, certain.spend, sample_rfm, f"{m}m", **terms)
        assert shown.loc[m, "value"] == pytest.approx(said)
    assert shown["low"].isna().all()
    assert table.basis.endswith('Fit with method="laplace" for bands.')
    assert shown["watched"].value_counts().to_dict() == {"yes": 10, "beyond": 17}  # 39 weeks, and thrice
    beyond = frame(certain.over("24m"), "value_by_age")
    assert beyond["value"].tolist() == pytest.approx(shown["value"].tolist())


def test_bands_of_value_by_age_are_over_draws(drawn: Forecast) -> None:
    shown = frame(drawn, "value_by_age").set_index("months")
    assert (shown["low"] <= shown["value"] + 1e-9).all()
    assert (shown["value"] <= shown["high"] + 1e-9).all()
    width = (shown["high"] - shown["low"]).to_numpy()
    assert (np.diff(width) > 0).all()
    for m in (1, 12):
        said = drawn.over(f"{m}m").new_customers().table.iloc[0]
        assert shown.loc[m, "value"] == pytest.approx(said["clv_mean"], rel=2e-3)
        known = said[["clv_mean_p05", "clv_mean_p95"]].to_list()
        assert shown.loc[m, ["low", "high"]].to_list() == pytest.approx(known)


def test_value_by_age_has_the_level_of_the_forecast(drawn: Forecast) -> None:
    off = dataclasses.replace(drawn, levels=Level.of((0.5, 0.7, 0.8)))
    table = clv.show(off, "value_by_age").table
    shown, plain = table.frame, frame(drawn, "value_by_age")
    assert shown["value"].to_numpy() == pytest.approx(0.7 * plain["value"].to_numpy())
    said = off.new_customers().table.iloc[0]
    band = shown.set_index("months").loc[12, ["low", "high"]]
    assert band.to_list() == pytest.approx(said[["clv_mean_p05", "clv_mean_p95"]].to_list())
    assert (
        "value at 0.700 of the model's level (by past misses totals come out between 28.6 % below"
        in table.basis
    )


def test_an_unknown_figure_is_refused(certain: Forecast, tested: Backtest) -> None:
    with pytest.raises(ConfigError, match="C012 there are no figures of a RFM"):
        clv.show(certain.rfm)
    with pytest.raises(ConfigError, match="C001 there is no figure 'clv'; there are quarters, p_alive"):
        clv.show(certain, "clv")
    with pytest.raises(ConfigError, match="there are tracking, cumulative, deciles, p_purchase, pit"):
        clv.show(tested, "clv")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (7890, "7,890"),
        (50_000, "50 k"),
        (77_812, "77.8 k"),
        (1_234_567, "1.23 M"),
        (2.5e9, "2.5 bn"),
    ],
)
def test_sums_in_few_letters(value: float, said: str) -> None:
    assert brief(value) == said


@pytest.mark.parametrize(
    ("ticks", "said"),
    [
        ((10_000, 12_500, 15_000), ["10.0 k", "12.5 k", "15.0 k"]),
        ((12, 12.5, 13), ["12.0", "12.5", "13.0"]),
        ((-2000, 0, 2000), ["−2,000", "0", "2,000"]),
        ((0, 750_000, 1_500_000), ["0", "0.75 M", "1.50 M"]),
        ((0, 5000, 10_000), ["0", "5 k", "10 k"]),
        ((0.0,), ["0"]),
    ],
)
def test_ticks_of_sums_are_where_they_say(ticks: tuple[float, ...], said: list[str]) -> None:
    ax = Figure().add_subplot()
    in_sums(ax.xaxis)
    ax.set_xticks(ticks)
    assert [label.get_text() for label in ax.get_xticklabels()] == said


@pytest.fixture(scope="module")
def tested() -> Backtest:
    """Two origins of three months, by hand."""
    cuts = [pd.Timestamp("1997-09-30").date(), pd.Timestamp("1997-12-31").date()]
    ends = [pd.date_range(cut, periods=4, freq="ME").date[1:] for cut in cuts]
    lines, tenths, bins = [], [], []
    for at, cut in enumerate(cuts):
        for name, scale in (("Actual", 1.0), ("BGNBD", 0.9), ("Pareto", 0.5), ("BGNBD, calibrated", 0.95)):
            each = scale * np.array([10.0, 20.0, 15.0]) * (1 + at)
            lines += [
                {"origin": cut, "contender": name, "end": end, "value": v, "cumulative_value": total}
                for end, v, total in zip(ends[at], each, each.cumsum(), strict=True)
            ]
        for tenth in (1, 10):
            n = 100 if at == 0 else 300
            row = {"origin": cut, "contender": "BGNBD", "tenth": tenth, "customers": n}
            tenths.append(row | {"quantity": "value", "forecast": tenth + at, "actual": tenth * 1.0})
            tenths.append(
                row | {"quantity": "p_purchase", "forecast": tenth / 20, "actual": tenth / 16 + at / 10}
            )
        bins += [
            {"origin": cut, "contender": "BGNBD", "quantity": q, "bin": b / 10, "share": 0.1}
            for q in ("purchases", "value")
            for b in range(10)
        ]
    rows = pd.DataFrame(tenths)
    table = pd.DataFrame({"origin": cuts, "end": [e[-1] for e in ends], "customers": [200, 600]})
    given = {f.name: None for f in dataclasses.fields(Backtest)} | {
        "table": table,
        "calibration": rows[rows["quantity"] == "value"],
        "p_purchase": rows[rows["quantity"] == "p_purchase"],
        "tracking": pd.DataFrame(lines),
        "pit": pd.DataFrame(bins),
        "choice": "BGNBD",
    }
    return Backtest(**given)  # type: ignore[arg-type]


def test_tracking_is_of_the_model_that_was_chosen(tested: Backtest) -> None:
    shown = frame(tested)
    assert list(shown.columns) == ["origin", "end", "actual", "model", "calibrated"]
    assert shown["actual"].tolist() == [10, 20, 15, 20, 40, 30]
    assert shown["model"].tolist() == pytest.approx((0.9 * shown["actual"]).tolist())
    assert frame(tested, "cumulative")["actual"].tolist() == [10, 30, 45, 20, 60, 90]
    basis = clv.show(tested).table.basis
    assert basis.startswith("BGNBD, fitted to what was known on 1997-09-30 and 1997-12-31;")
    assert "the 200 and 600 customers" in basis


def test_tenths_of_all_origins_count_as_their_customers(tested: Backtest) -> None:
    shown = frame(tested, "deciles")
    assert shown["customers"].tolist() == [400, 400]
    assert shown["forecast"].tolist() == pytest.approx([1.75, 10.75])
    assert shown["actual"].tolist() == pytest.approx([1.0, 10.0])
    p = frame(tested, "p_purchase")
    share = 1 / 16 + 0.075
    assert p["actual"].iloc[0] == pytest.approx(share)
    assert p["high"].iloc[0] == pytest.approx(share + 1.6448536 * np.sqrt(share * (1 - share) / 400))


def test_a_level_histogram_is_a_tenth_each(tested: Backtest) -> None:
    shown = frame(tested, "pit")
    assert list(shown["row"])[::9] == ["0–10", "90–100"]
    assert shown["value"].tolist() == pytest.approx([0.1] * 10)
