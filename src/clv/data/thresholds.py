"""The numbers that the checks act on, in one place; none acts in `clv.fit`."""

EXAMPLES = 5  # rows shown with a finding
GUEST_WARN, GUEST_FAIL = 0.2, 0.5  # D003: share of revenue that belongs to nobody in particular
PLACEHOLDER_SHARE = 0.2  # D004: an id with this share of all orders stands for nobody
# D004: ids that stand for nobody, in lower case.
PLACEHOLDERS = (
    *("guest", "guest_user", "anonymous", "anon", "nobody", "unknown", "undefined", "default", "dummy"),
    *("none", "null", "nan", "n/a", "na", "#n/a", "not set", "not_set", "(not set)", "(not-set)"),
    *("test", "tester", "-", "00000000-0000-0000-0000-000000000000", "0", "-1"),
)
PLACEHOLDER_NUMBERS = {
    "0": 0.01,
    "-1": 0.01,
}  # D004: real ids as well, unless they have this share of all orders
DIGITS_LOST = 2**53  # D006: beyond, a float has no room for every whole number
GAP_DAYS = 30  # D014: a silence before as_of longer than this …
GAP_FACTOR = 3  # D014: … and than this many times the longest silence in the log
FEED_GAP_DAYS, FEED_GAP_ORDERS = 3, 30  # D015: days without an order, and the orders that were to be expected
ABSURD = 1_000  # D023: times the 99th percentile
CENTS_MEAN, CENTS_ROWS = 1_000, 100  # D024: whole amounts with a mean from here on, in at least so many rows
FX_DAYS = 7  # D029: a rate is carried over weekends and holidays, no longer
DOMINANT = 0.10  # D030: one customer's share of revenue, or of a forecast's value
MIN_CUSTOMERS = 200  # D031: a job on fewer is refused; patterns among fewer are not looked for
MIN_REPEATERS = 20  # D032: fewer repeat buyers cannot show a pattern
ONE_TIMERS = 0.01  # D033: fewer one-time buyers than this share are not believed
SEASONS_DAYS = 730  # D034: two seasonal cycles
FIRST_DAYS, FIRST_SHARE = 7, 0.15  # D035: share of first orders in the first days of the extract
PERIODS = {"week": (7, 7), "month": (28, 31), "year": (360, 370)}  # D036: gaps of subscriptions, in days
PERIOD_SHARE = 0.5  # D036: share of repeat gaps
CORRELATION = 0.3  # D040: |ρ| of spend with frequency
MIN_SEGMENT = 100  # D042: customers of a segment that can stand alone
