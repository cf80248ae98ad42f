"""What may be a history, and that gathering over distinct values changes no number."""

import numpy as np
import pytest

from clv import DataError, PurchaseHistory, SpendHistory

ONE = PurchaseHistory([2, 0, 2, 5], [3.0, 0, 3, 7], [9.0, 9, 8, 7], [1, 4, 2, 0])
SPEND = SpendHistory([1, 3, 1], [10.0, 40, 25], [2, 1, 1])


@pytest.mark.parametrize(
    ("columns", "code", "words"),
    [
        (([1], [40.0], [39.0]), "D037", "recency must not exceed age"),
        (([0], [2.0], [39.0]), "D039", "recency without a repeat purchase"),
        (([1], [0.0], [39.0]), "D046", "needs a recency above 0"),
        (([-1], [0.0], [39.0]), "D046", "whole number"),
        (([1.5], [2.0], [39.0]), "D046", "whole number"),
        (([0], [0.0], [-1.0]), "D046", "must not be negative"),
        (([np.nan], [1.0], [2.0]), "D046", "finite"),
        (([1], [1.0], [np.inf]), "D046", "finite"),
        (([1], [1.0], [2.0], [-1.0]), "D046", "weights"),
        (([1], [1.0], [2.0], [np.nan]), "D046", "weights"),
        (([1, 2], [1.0, 2.0, 3.0], [5.0]), "D046", "one length"),
        ((["many"], [1.0], [2.0]), "D046", "must be numbers"),
    ],
)
def test_a_row_that_cannot_be_a_purchase_history_is_refused(columns, code, words):
    with pytest.raises(DataError, match=words) as caught:
        PurchaseHistory(*columns)
    assert code in caught.value.codes


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (([0], [10.0]), "at least one"),
        (([1], [0.0]), "above 0"),
        (([1], [np.inf]), "finite"),
        (([np.nan], [1.0]), "finite"),
        (([1], [1.0], [-2.0]), "weights"),
        (([1, 2, 3], [1.0, 2.0]), "one length"),
    ],
)
def test_a_row_that_cannot_be_a_spend_history_is_refused(columns, words):
    with pytest.raises(DataError, match=words) as caught:
        SpendHistory(*columns)
    assert set(caught.value.codes) == {"D046"}


def test_all_problems_are_told_at_once_with_their_place_and_number():
    with pytest.raises(DataError) as caught:
        PurchaseHistory([1, 0, 1, 1.5], [2.0, 3, 9, 1], [5.0, 5, 5, 5], [1, 1, 1, -1])
    assert caught.value.codes == ["D046", "D037", "D039", "D046"]
    assert "first at row 2 (1 row)" in caught.value.messages[1]


@pytest.mark.parametrize("history", [ONE, SPEND], ids=["purchases", "spend"])
def test_scalars_and_lists_become_float_columns_of_one_length(history):
    for name in ("weight", *(("x", "t_x", "T") if history is ONE else ("m", "S"))):
        column = getattr(history, name)
        assert (column.dtype, column.shape) == (float, (len(history),))
    assert PurchaseHistory(0, 0, [3, 4]).weight.tolist() == [1, 1]


def test_rescaling_moves_times_and_the_unit_and_nothing_else():
    days = ONE.rescaled(1 / 7)
    np.testing.assert_allclose(days.T, ONE.T * 7)
    np.testing.assert_allclose(days.t_x, ONE.t_x * 7)
    assert days.unit == pytest.approx(ONE.unit / 7)
    assert (days.x == ONE.x).all()
    assert (days.weight == ONE.weight).all()


def test_rescaling_money_moves_spend_and_the_unit_and_nothing_else():
    thousands = SPEND.rescaled(1000)
    np.testing.assert_allclose(thousands.S, SPEND.S / 1000)
    assert thousands.unit == 1000
    assert (thousands.m == SPEND.m).all()


def test_typical_sizes_and_moments_count_customers_not_rows():
    assert ONE.typical() == pytest.approx((9 + 4 * 9 + 2 * 8) / 7)
    assert list(ONE.moments().values()) == [9 + 4 * 9 + 2 * 8, 1 * 2 + 2 * 2]
    assert SPEND.typical() == pytest.approx((2 * 10 + 40 + 25) / (2 + 3 + 1))
    assert SPEND.moments() == {}
    assert PurchaseHistory([0], [0], [0]).typical() == 1  # no time has passed: nothing to scale by


@pytest.mark.parametrize("shape", [(), (3, 1), (4,), (3, 4)], ids=str)
def test_gathering_over_distinct_values_equals_direct_evaluation(shape):
    c = np.random.default_rng(1).uniform(1, 2, shape)
    h = ONE
    np.testing.assert_array_equal(h.by_x(lambda x: np.exp(-c * x), c), np.exp(-c * h.x))
    np.testing.assert_array_equal(h.by_state(lambda x, T: c * x / T, c), c * h.x / h.T)
    at_t_x, at_T = h.by_t(lambda t: np.log(c + t), c)
    np.testing.assert_array_equal(at_t_x, np.log(c + h.t_x))
    np.testing.assert_array_equal(at_T, np.log(c + h.T))


@pytest.mark.parametrize("shape", [(), (3, 1), (3,), (3, 3)], ids=str)
def test_gathering_spend_days_equals_direct_evaluation(shape):
    c = np.random.default_rng(1).uniform(1, 2, shape)
    np.testing.assert_array_equal(SPEND.by_m(lambda m: c / m, c), c / SPEND.m)


def test_gathering_evaluates_each_distinct_value_once():
    seen = []
    ONE.by_x(lambda x: seen.append(x.tolist()) or x)
    ONE.by_state(lambda x, T: seen.append(sorted(zip(x, T, strict=True))) or x)
    assert seen == [[0, 2, 5], [(0, 9), (2, 8), (2, 9), (5, 7)]]


def test_a_history_is_its_own_source_and_of_no_other_kind():
    assert ONE.history(PurchaseHistory) is ONE
    with pytest.raises(DataError, match="D047 SpendHistory is needed; got a PurchaseHistory"):
        ONE.history(SpendHistory)
    with pytest.raises(DataError, match="D047 PurchaseHistory is needed by country"):
        ONE.history(PurchaseHistory, by=["country"])
