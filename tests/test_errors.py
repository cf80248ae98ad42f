"""Every error has codes, all its messages, and an exit status of its own."""

import pytest

import clv
from clv import ClvError

STATUS = {"ConfigError": 2, "DataError": 3, "FitError": 4, "OutputError": 5}


@pytest.mark.parametrize(("name", "status"), STATUS.items())
def test_an_error_tells_all_and_has_its_exit_status(name, status):
    kind = getattr(clv, name)
    error = kind("D001 no rows; got 0. Check the file.", "D019 two as-of dates.")
    assert isinstance(error, ClvError)
    assert error.exit_status == status
    assert error.codes == ["D001", "D019"]
    assert list(error.messages) == str(error).split("\n")


def test_statuses_tell_the_kinds_apart():
    assert sorted(kind.exit_status for kind in ClvError.__subclasses__()) == [2, 3, 4, 5]
    assert ClvError.exit_status == 1


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("1 rows (33.3 %, 1.00) have no id", "1 row (33.3 %, 1.00) has no id"),
        ("1 refunds match; 11 rows have", "1 refund matches; 11 rows have"),
        ("1,001 rows are, 0.1 rows are, of 1 rows that", "1,001 rows are, 0.1 rows are, of 1 row that"),
    ],
)
def test_one_is_no_plural(written: str, said: str) -> None:
    assert str(clv.DataError(f"D003 {written}.")) == f"D003 {said}."
