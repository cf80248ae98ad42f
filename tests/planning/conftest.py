"""What planning tests share: the demo shop by channel, fitted with draws, and CDNOW."""

import pytest

import clv
from clv.evaluation.compare import Comparison, compare
from clv.forecasting.customers import Forecast
from clv.planning.prospects import Prospect, prospects_of

type Case = tuple[Forecast, Comparison]


def of(rfm: clv.RFM, economics: clv.Economics, by: str, method: str, *models: type) -> Case:
    """A forecast and its comparison."""
    fits = [clv.fit(model, rfm, method=method) for model in models or (clv.BGNBD, clv.GammaGamma)]
    ahead = clv.forecast(*fits, rfm, economics.horizon, margin=economics.margin, discount=economics.discount)
    return ahead, compare(ahead, economics, by)


@pytest.fixture(scope="session")
def shop_rfm() -> clv.RFM:
    shop = clv.datasets.load_shop()
    log = shop.transactions.dropna(subset=["customer_id"])
    return clv.Transactions(
        log,
        as_of="2026-09-30",
        customers=shop.customers,
        segments=("channel",),
        currency="EUR",
        order_id="order_id",
        refund_of="refund_of",
        guest_ids=["guest"],
        refunds="net_to_original",
        duplicates="drop",
        line_items=True,
    ).rfm()


@pytest.fixture(scope="session")
def shop_economics() -> clv.Economics:
    """CAC of every channel but one, of which it is not known."""
    cac = {c["name"]: c["cac"] for c in clv.datasets.load_shop().truth["channels"].values()}
    del cac["Каталог"]
    return clv.Economics(0.44, 0.10, churn="period:1y", cac=cac)


@pytest.fixture(scope="session")
def shop(shop_rfm: clv.RFM, shop_economics: clv.Economics) -> Case:
    """The demo shop by channel, with draws of the parameters."""
    return of(shop_rfm, shop_economics, "channel", "laplace")


@pytest.fixture(scope="session")
def shop_prospects(shop: Case) -> list[Prospect]:
    """Its new customers, refitted once."""
    return prospects_of(*shop)


@pytest.fixture(scope="session")
def sample(sample_rfm: clv.RFM) -> Case:
    """The CDNOW sample by cohort, a point fit, one CAC for all."""
    return of(sample_rfm, clv.Economics(0.3, 0.15, cac=20.0), "cohort", "mle")
