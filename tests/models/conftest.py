"""The CDNOW sample as the papers cut it: 39 weeks seen, 39 weeks held out."""

import datetime as dt

import pytest

import clv


@pytest.fixture(scope="session")
def cdnow():
    orders = clv.Transactions(
        clv.datasets.load_cdnow_sample(), as_of="1998-06-30", zero_orders="count", duplicates="keep"
    )
    return clv.split(orders, dt.date(1997, 9, 30))


@pytest.fixture(scope="session")
def customers(cdnow):
    """One row per customer with what it did in the hold-out, by customer_id."""
    return cdnow.rfm.to_pandas().set_index("customer_id")
