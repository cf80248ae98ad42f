"""The CDNOW files: what the provenance says of them."""

import pandas as pd
import pytest

from clv.datasets import cdnow_path, load_cdnow, load_cdnow_sample


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return load_cdnow()


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    return load_cdnow_sample()


def test_counts(log: pd.DataFrame, sample: pd.DataFrame) -> None:
    assert (len(log), log["customer_id"].nunique()) == (69_659, 23_570)
    assert (len(sample), sample["customer_id"].nunique()) == (6_919, 2_357)


def test_columns_and_types(log: pd.DataFrame, sample: pd.DataFrame) -> None:
    for frame in (log, sample):
        assert list(frame) == ["customer_id", "date", "quantity", "amount"]
        assert frame.notna().all(axis=None)
        assert pd.api.types.is_datetime64_any_dtype(frame["date"])
        assert pd.api.types.is_integer_dtype(frame["quantity"])
        assert (frame["date"] == frame["date"].dt.normalize()).all()
        assert (frame["amount"] >= 0).all()
        assert (frame["quantity"] > 0).all()
        assert ((frame["amount"] * 100).round() / 100 == frame["amount"]).all()


def test_period(log: pd.DataFrame) -> None:
    assert (log["date"].min(), log["date"].max()) == (pd.Timestamp("1997-01-01"), pd.Timestamp("1998-06-30"))
    assert log.groupby("customer_id")["date"].min().max() <= pd.Timestamp("1997-03-31")


def test_known_quirks(log: pd.DataFrame, sample: pd.DataFrame) -> None:
    assert ((log["amount"] == 0).sum(), (sample["amount"] == 0).sum()) == (80, 8)
    assert (log.duplicated().sum(), sample.duplicated().sum()) == (255, 21)
    assert log.duplicated(["customer_id", "date"]).sum() == 2_068


def test_leading_zeros_are_kept(log: pd.DataFrame) -> None:
    assert log["customer_id"].str.fullmatch(r"\d{5}").all()
    assert log["customer_id"].iloc[0] == "00001"


def test_the_sample_is_a_tenth_of_the_customers_whole(log: pd.DataFrame, sample: pd.DataFrame) -> None:
    part = log[log["customer_id"].isin(sample["customer_id"])]
    in_order = [frame.sort_values(list(frame)).reset_index(drop=True) for frame in (part, sample)]
    pd.testing.assert_frame_equal(*in_order)
    assert sample["customer_id"].nunique() == log["customer_id"].nunique() / 10


def test_paths() -> None:
    assert cdnow_path().name == "cdnow.csv.gz"
    assert cdnow_path(sample=True).name == "cdnow_sample.csv.gz"
    assert cdnow_path().is_file()
