"""A made-up online shop whose truth is known: three years of orders, with the faults of a real extract.

The shop sells printed gifts and collectables from 2023-10-01 to 2026-09-30 and opens on the first day, so
nobody bought earlier. Customers follow BG/NBD with Gamma-Gamma spend, on a clock that runs with the season:
while alive, customer i buys at the rate λ_i·s(day) per week, and after each repeat purchase drops out with
probability p_i. Two personas have parameters and a season of their own; channels mix them differently, so a
customer's value depends on the channel, and 🎁 Gift market pays more for a customer than three years earn.

Guest orders and orders without an id come on top of the customers' own orders: no history loses an order.

[FHL05] Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2).
[FHL05b] Fader, Hardie & Lee (2005), RFM and CLV: using iso-value curves, J. Marketing Research 42(4).
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

type Floats = npt.NDArray[np.float64]
type Ints = npt.NDArray[np.int64]

START = np.datetime64("2023-10-01")
AS_OF = np.datetime64("2026-09-30")
DAYS = np.arange(START, AS_OF + np.timedelta64(1, "D"))
MONTH = DAYS.astype("datetime64[M]").astype(np.int64) % 12
PERIODS, PERIOD = np.unique(np.datetime_as_string(DAYS, unit="M"), return_inverse=True)
DATES = DAYS.astype(str).astype(object)
DAYS_IN_MONTH = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
SEASON = np.array([0.72, 0.80, 0.84, 0.92, 1.02, 0.90, 0.74, 0.72, 0.86, 1.04, 1.50, 1.94])

GUEST, NO_ID = -1, -2
GUEST_SHARE, NO_ID_SHARE = 0.05, 0.002
REFUND_SHARE, FULL_SHARE, DUPLICATE_SHARE = 0.03, 2 / 3, 0.004
ANSWER_SHARE = 0.6
RETENTION_COST = 0.12  # EUR a month for each customer acquired so far
BOOKING_PERIOD, BOOKING_AMOUNT, BOOKING_REASON = "2025-03", 1250.0, "trade fair, sold for cash"

GROUPS = ("Photo prints", "Mugs", "Calendars", "Figurines", "Art cards")
COST_RATIO = np.array([0.47, 0.52, 0.55, 0.63, 0.58])
ABROAD = ("DE", "AT", "CZ", "LT", "PL", "FR", "NL")


@dataclass(frozen=True)
class Persona:
    """A kind of customer: buying in weeks [FHL05], spend in EUR [FHL05b], and the season's pull."""

    name: str
    r: float
    alpha: float
    a: float
    b: float
    p: float
    q: float
    gamma: float
    season_power: float
    loyalty: float
    groups: tuple[float, ...]


@dataclass(frozen=True)
class Channel:
    """Acquisition: the channel's share of customers, and of collectors and the referred among its own."""

    name: str
    share: float
    collectors: float
    cac: float
    country: str
    referred: float


PERSONAS = (
    Persona("gift buyer", 0.9, 32.0, 1.1, 3.5, 4.0, 5.0, 40.0, 1.5, 0.15, (0.32, 0.28, 0.28, 0.05, 0.07)),
    Persona("collector", 1.3, 10.5, 0.8, 6.5, 5.0, 5.5, 56.0, 0.6, 0.50, (0.08, 0.10, 0.07, 0.40, 0.35)),
)
CHANNELS = (
    Channel("Suche & Köln", 0.27, 0.28, 24.0, "DE", 0.03),
    Channel("Newsletter", 0.21, 0.52, 12.0, "DE", 0.05),
    Channel("🎁 Gift market", 0.17, 0.06, 92.0, "AT", 0.01),
    Channel("Katalog Plzeň", 0.12, 0.42, 21.0, "CZ", 0.04),
    Channel("Dovanų gidas", 0.09, 0.15, 17.0, "LT", 0.06),
    Channel("Каталог", 0.07, 0.60, 30.0, "BG", 0.04),
    Channel("小红书", 0.05, 0.36, 27.0, "CN", 0.08),
    Channel("توصية", 0.02, 0.72, 9.0, "EG", 0.90),
)
CHANNEL_NAMES = np.array([c.name for c in CHANNELS], dtype=object)


@dataclass(frozen=True, eq=False)
class Shop:
    """The shop's extracts as data frames, and the truth that they were drawn from.

    `truth` holds the month factors (`season`), `personas` (each with its parameters and month factors),
    `channels` (share, collectors, CAC), `counts` of every imperfection, the ledger's `manual_booking`, and
    `customers`: a frame of customer_id, persona, lam (per operational week), p_dropout and mean_spend (EUR).
    """

    transactions: pd.DataFrame
    customers: pd.DataFrame
    spend: pd.DataFrame
    ledger: pd.DataFrame
    truth: dict[str, Any]


def generate_shop(seed: int = 20260930, customers: int = 8_000) -> Shop:
    """Draw the shop; the same seed and number of customers give the same frames.

    Raises ValueError for fewer than one customer.
    """
    if customers < 1:
        raise ValueError(f"A shop needs at least 1 customer; got {customers}.")
    rng = np.random.default_rng(seed)
    people = _people(rng, customers)
    sales = _sales(rng, people)
    booked = _numbered(rng, sales, _refunds(rng, sales))
    copies = booked.sample(frac=DUPLICATE_SHARE, random_state=rng)
    rows = pd.concat([booked, copies]).sort_values("number", kind="stable", ignore_index=True)
    return Shop(
        transactions=_transactions(rows, people),
        customers=_customers(rng, people),
        spend=_spend(rng, people),
        ledger=_ledger(booked),
        truth=_truth(people, booked, copies),
    )


def season(power: float = 1.0) -> Floats:
    """Month factors from January, (12,): `SEASON` to a power, with mean 1 over the days of a common year."""
    factors = SEASON**power
    return np.asarray(factors * (365 / (factors @ DAYS_IN_MONTH)))


def _clock(power: float) -> Floats:
    """Operational weeks from the opening to the start of each day and the end of the last, (days + 1,)."""
    return np.concatenate([[0.0], np.cumsum(season(power)[MONTH]) / 7])


def _of(personas: Ints, field: str) -> Floats:
    return np.array([getattr(persona, field) for persona in PERSONAS], dtype=np.float64)[personas]


def _people(rng: np.random.Generator, size: int) -> pd.DataFrame:
    """Draw customers in order of acquisition, with what they are truly like."""
    weight = season()[MONTH] * (1 + 0.2 * np.arange(len(DAYS)) / 365)
    day = np.sort(rng.choice(len(DAYS), size, p=weight / weight.sum()))
    channel = rng.choice(len(CHANNELS), size, p=[c.share for c in CHANNELS])
    persona = (rng.random(size) < np.array([c.collectors for c in CHANNELS])[channel]).astype(np.int64)
    earlier = np.searchsorted(day, day)
    referred = (rng.random(size) < np.array([c.referred for c in CHANNELS])[channel]) & (earlier > 0)
    return pd.DataFrame(
        {
            "customer_id": _text("C", np.arange(1, size + 1), 5),
            "day": day,
            "channel": channel,
            "persona": persona,
            "referrer": np.where(referred, (rng.random(size) * earlier).astype(np.int64), NO_ID),
            "lam": rng.gamma(_of(persona, "r")) / _of(persona, "alpha"),
            "p_dropout": rng.beta(_of(persona, "a"), _of(persona, "b")),
            "mean_spend": _mean_spend(rng, persona),
        }
    )


def _mean_spend(rng: np.random.Generator, persona: Ints) -> Floats:
    return _of(persona, "p") * _of(persona, "gamma") / rng.gamma(_of(persona, "q"))


def _sales(rng: np.random.Generator, people: pd.DataFrame) -> pd.DataFrame:
    """All orders: the customers' first and repeat orders, then those of guests and those without an id."""
    who, day = _repeats(rng, people)
    who = np.concatenate([people.index.to_numpy(), who])
    day = np.concatenate([people["day"].to_numpy(), day])
    own = people.iloc[who][["channel", "persona", "mean_spend"]].assign(customer=who, day=day)
    orders = pd.concat([own, _anonymous(rng, day)], ignore_index=True)
    return orders.join(_baskets(rng, orders["persona"].to_numpy(), orders["mean_spend"].to_numpy()))


def _repeats(rng: np.random.Generator, people: pd.DataFrame) -> tuple[Ints, Ints]:
    """Draw the customer and the day of every repeat purchase.

    In operational time the purchases of an immortal are uniform given their number; dropout keeps the first
    few of them, a geometric number. The clock starts at the end of the first day: T counts days after it.
    """
    who, days = [], []
    for k, persona in enumerate(PERSONAS):
        group = people[people["persona"] == k]
        clock = _clock(persona.season_power)
        origin = clock[group["day"].to_numpy() + 1]
        span = clock[-1] - origin
        count = rng.poisson(group["lam"].to_numpy() * span)
        lifetime = rng.geometric(group["p_dropout"].to_numpy())
        row = np.repeat(np.arange(len(group)), count)
        time = origin[row] + span[row] * rng.random(len(row))
        time = time[np.lexsort((time, row))]
        rank = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        alive = rank < lifetime[row]
        who.append(group.index.to_numpy()[row[alive]])
        days.append(np.minimum(np.searchsorted(clock, time[alive], side="right") - 1, len(DAYS) - 1))
    return np.concatenate(who), np.concatenate(days)


def _anonymous(rng: np.random.Generator, identified: Ints) -> pd.DataFrame:
    """Orders on top of the identified ones, whose days are given, in the stated shares of all orders."""
    every = len(identified) / (1 - GUEST_SHARE - NO_ID_SHARE)
    guests, lost = round(every * GUEST_SHARE), round(every * NO_ID_SHARE)
    size = guests + lost
    persona = (rng.random(size) < 0.2).astype(np.int64)
    return pd.DataFrame(
        {
            "customer": np.repeat([GUEST, NO_ID], [guests, lost]),
            "day": rng.choice(identified, size),
            "channel": rng.choice(len(CHANNELS), size, p=[c.share for c in CHANNELS]),
            "persona": persona,
            "mean_spend": _mean_spend(rng, persona),
        }
    )


def _baskets(rng: np.random.Generator, persona: Ints, mean_spend: Floats) -> pd.DataFrame:
    """Product group, amount and cost of goods of each order, money in cents."""
    p = _of(persona, "p")
    cents = np.maximum(100, np.rint(100 * rng.gamma(p) * mean_spend / p).astype(np.int64))
    edges = np.cumsum([x.groups for x in PERSONAS], axis=1)[:, :-1]
    group = (rng.random(len(persona))[:, None] > edges[persona]).sum(axis=1)
    ratio = COST_RATIO[group] + rng.uniform(-0.02, 0.02, len(persona))
    return pd.DataFrame({"group": group, "cents": cents, "cogs": np.rint(ratio * cents).astype(np.int64)})


def _refunds(rng: np.random.Generator, sales: pd.DataFrame) -> pd.DataFrame:
    """Refunds booked within the log; goods come back with a full refund, a partial one is goodwill."""
    order = sales.sample(frac=REFUND_SHARE, random_state=rng)
    order = order.assign(day=order["day"] + rng.integers(2, 31, len(order)))
    order = order[order["day"] < len(DAYS)]
    full = rng.random(len(order)) < FULL_SHARE
    cents = order["cents"].to_numpy()
    back = np.where(full, cents, np.rint(cents * rng.uniform(0.1, 0.6, len(order))).astype(np.int64))
    return order.assign(cents=-back, cogs=np.where(full, -order["cogs"], 0), of=order.index, full=full)


def _numbered(rng: np.random.Generator, sales: pd.DataFrame, refunds: pd.DataFrame) -> pd.DataFrame:
    """Sales and refunds as booked, numbered by day from 1; `of` is the number of the refunded order, or 0."""
    rows = pd.concat([sales.assign(of=-1, full=False), refunds], ignore_index=True)
    shuffled = rng.permutation(len(rows))
    order = shuffled[np.argsort(rows["day"].to_numpy()[shuffled], kind="stable")]
    number = np.argsort(order) + 1
    # A sale's -1 finds the 0 at the end.
    return rows.assign(number=number, of=np.append(number, 0)[rows["of"].to_numpy()]).iloc[order]


def _text(prefix: str, numbers: Ints, width: int) -> npt.NDArray[np.object_]:
    return np.array([f"{prefix}-{number:0{width}}" for number in numbers.tolist()], dtype=object)


def _transactions(rows: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    customer, of = rows["customer"].to_numpy(), rows["of"].to_numpy()
    # The two last entries answer NO_ID and GUEST.
    ids = np.append(people["customer_id"].to_numpy(dtype=object), [None, "guest"])
    referrer = np.append(people["referrer"].to_numpy(), [NO_ID, NO_ID])[customer]
    return pd.DataFrame(
        {
            "order_id": _text("O", rows["number"].to_numpy(), 6),
            "customer_id": ids[customer],
            "date": DATES[rows["day"].to_numpy()],
            "amount": rows["cents"].to_numpy() / 100,
            "cogs": rows["cogs"].to_numpy() / 100,
            "type": np.where(of > 0, "refund", "sale").astype(object),
            "refund_of": pd.Series(_text("O", of, 6)).where(of > 0, None),
            "channel": CHANNEL_NAMES[rows["channel"].to_numpy()],
            "product_group": np.array(GROUPS, dtype=object)[rows["group"].to_numpy()],
            "referred_by": ids[referrer],
        }
    )


def _customers(rng: np.random.Generator, people: pd.DataFrame) -> pd.DataFrame:
    """Survey the customers; those who drop out easily are a little less satisfied, and many do not answer."""
    size = len(people)
    channel = people["channel"].to_numpy()
    home = np.array([c.country for c in CHANNELS], dtype=object)[channel]
    elsewhere = np.array(ABROAD, dtype=object)[rng.integers(0, len(ABROAD), size)]
    mood = 4.5 - 1.8 * people["p_dropout"].to_numpy() + rng.normal(0, 0.9, size)
    recommendation = 2.2 * mood - 1.5 + rng.normal(0, 1.2, size)
    silent = rng.random(size) >= ANSWER_SHARE
    return pd.DataFrame(
        {
            "customer_id": people["customer_id"],
            "acquired_at": DATES[people["day"].to_numpy()],
            "channel": CHANNEL_NAMES[channel],
            "country": np.where(rng.random(size) < 0.7, home, elsewhere),
            "loyalty_member": rng.random(size) < _of(people["persona"].to_numpy(), "loyalty"),
            "satisfaction": pd.Series(np.rint(mood).clip(1, 5), dtype="Int64").mask(silent),
            "recommendation": pd.Series(np.rint(recommendation).clip(0, 10), dtype="Int64").mask(silent),
        }
    )


def _spend(rng: np.random.Generator, people: pd.DataFrame) -> pd.DataFrame:
    """Marketing spend by month and channel: the CAC for each new customer, a little to keep each one."""
    shape = (len(PERIODS), len(CHANNELS))
    new = np.zeros(shape)
    np.add.at(new, (PERIOD[people["day"].to_numpy()], people["channel"].to_numpy()), 1)
    acquisition = new * np.array([c.cac for c in CHANNELS]) * rng.lognormal(-0.005, 0.1, shape)
    retention = RETENTION_COST * new.cumsum(axis=0) * rng.lognormal(-0.005, 0.1, shape)
    return pd.DataFrame(
        {
            "period": np.repeat(PERIODS.astype(object), len(CHANNELS)),
            "channel": np.tile(CHANNEL_NAMES, len(PERIODS)),
            "acquisition_spend": acquisition.round(2).ravel(),
            "retention_spend": retention.round(2).ravel(),
        }
    )


def _ledger(booked: pd.DataFrame) -> pd.DataFrame:
    """Net revenue by month as the accounts have it: guests included, no copies, and one manual booking."""
    cents = np.bincount(PERIOD[booked["day"].to_numpy()], booked["cents"].to_numpy(), len(PERIODS))
    cents[np.flatnonzero(np.equal(PERIODS, BOOKING_PERIOD))] += 100 * BOOKING_AMOUNT
    return pd.DataFrame({"period": PERIODS.astype(object), "net_revenue": cents / 100})


def _truth(people: pd.DataFrame, booked: pd.DataFrame, copies: pd.DataFrame) -> dict[str, Any]:
    named = people.assign(persona=people["persona"].map(dict(enumerate(x.name for x in PERSONAS))))
    return {
        "start": str(START),
        "as_of": str(AS_OF),
        "time_unit": "week",
        "season": season(),
        "personas": {x.name: asdict(x) | {"season": season(x.season_power)} for x in PERSONAS},
        "channels": {x.name: asdict(x) for x in CHANNELS},
        "counts": _counts(booked, copies),
        "manual_booking": {"period": BOOKING_PERIOD, "amount": BOOKING_AMOUNT, "reason": BOOKING_REASON},
        "customers": named[["customer_id", "persona", "lam", "p_dropout", "mean_spend"]],
    }


def _counts(booked: pd.DataFrame, copies: pd.DataFrame) -> dict[str, int]:
    """Orders are sales without copies; rows count everything in the extract."""
    sales, refunds, rows = booked[booked["of"] == 0], booked[booked["of"] > 0], pd.concat([booked, copies])
    flags = {
        "full_refunds": refunds["full"],
        "partial_refunds": ~refunds["full"],
        "guest_orders": sales["customer"] == GUEST,
        "guest_rows": rows["customer"] == GUEST,
        "missing_id_rows": rows["customer"] == NO_ID,
    }
    sizes = {"rows": rows, "orders": sales, "refunds": refunds, "duplicate_rows": copies}
    return {k: len(x) for k, x in sizes.items()} | {k: int(x.sum()) for k, x in flags.items()}
