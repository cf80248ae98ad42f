"""Days: texts, moments and numbers, read alike on every engine, against Python's own calendar and zones."""

import datetime as dt
import random
import re
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import ibis
import pyarrow as pa
import pytest

from clv.data.date_texts import iso_texts, read_format
from clv.data.dates import date_of, date_shapes, known_zone, read_day
from clv.data.engines.transfers import with_zones
from clv.data.zones import clock_changes
from clv.errors import ConfigError
from columns import numbered, parts, rows

EPOCH, UTC = dt.date(1970, 1, 1), dt.UTC
ZONES = [
    *("UTC", "Europe/Prague", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca"),
    *("Pacific/Apia", "Pacific/Kiritimati", "Asia/Gaza", "America/Noronha"),
]


def since(date: dt.date) -> int:
    return (date - EPOCH).days


def loaded(engine: Any, table: pa.Table) -> Any:
    """A table as `sources` hands it on: Spark's moments have a zone."""
    there = engine(table)
    return with_zones(there) if engine.name == "spark" else there


# ISO texts.

BLANKS = [None, "", "  ", "\t\r\n"]
OFFSETS = [
    "",
    "Z",
    "z",
    " UTC",
    "+00:00",
    "+02:00",
    " +0200",
    "-02",
    "+0530",
    "-09:30",
    "+14:00",
    "-00:30",
    "+23:59",
]
NOT_ISO = [
    *(
        "2026-02-30",
        "2026-02-29",
        "1900-02-29",
        "2026-04-31",
        "2026-13-01",
        "2026-00-10",
        "2026-01-00",
        "2026-01-32",
    ),
    *("0000-01-01", "0000-02-29", "10000-01-01", "02026-01-01", "2026-1-5", "2026-01", "2026", "2026-01/31"),
    *(
        "20260131",
        "31/02/2026",
        "01-02-26",
        "12.1.2026",
        "Jan 5 2026",
        "yesterday",
        "now",
        "infinity",
        "-infinity",
    ),
    *(
        "epoch",
        "NaT",
        "nan",
        "null",
        "2026-01-05 (BC)",
        "1767571200",
        "2026-01-31T",
        "2026-01-31T10",
        "2026-01-31 24:00",
    ),
    *(
        "2026-01-31 10:60",
        "2026-01-31 10:00:60",
        "2026-01-31 9:30",
        "2026-01-31 10:00:",
        "2026-01-31 10:00:00.",
        "2026-01-31Z",
    ),
    *(
        "2026-01-31+02:00",
        "2026-01-31 10:00 CET",
        "2026-01-31 10:00 +2",
        "2026-01-31 10:00+24:00",
        "2026-01-31 10:00+0260",
    ),
    *(
        "2026-01-31  10:00",
        "2026-01-31 10:00  Z",
        "2026-01-31 10:00 Europe/Prague",
        "2026-01-31x",
        "x2026-01-31",
    ),
    *(
        "2026-01-31\n2026-01-31",
        "٢٠٢٦-٠١-٣١",
        "２０２６-01-31",
        "2026–01–31",
        "2026-01-3１",
        "-2026-01-31",
        "'2026-01-31'",
    ),
]


def iso_cases() -> list[tuple[str, dt.datetime | dt.date]]:
    """Texts and what Python's own parser makes of them."""
    draw = random.Random(7)
    days = [
        dt.date(1, 1, 1),
        dt.date(9999, 12, 31),
        dt.date(1969, 12, 31),
        dt.date(2024, 2, 29),
        dt.date(2000, 2, 29),
    ]
    days += [dt.date.fromordinal(draw.randrange(1, 3_652_060)) for _ in range(60)]
    days += [dt.date(2026, 3, 28), dt.date(2026, 3, 29), dt.date(2026, 10, 25), dt.date(2026, 12, 31)]
    days += [dt.date(1970, 1, 1) + dt.timedelta(draw.randrange(47_000)) for _ in range(400)]
    cases: list[tuple[str, dt.datetime | dt.date]] = []
    for day in days:
        written = day.isoformat().replace("-", draw.choice("-/"))
        cases.append((written, day))
        clock = draw.choice(["00:00", "00:30", "23:59", f"{draw.randrange(24):02d}:{draw.randrange(60):02d}"])
        clock += draw.choice(["", ":59", ":00.000", ":59.9", ":30.123456789", ":59,999"])
        offset = draw.choice(OFFSETS)
        known = offset.strip().replace("UTC", "Z").upper()
        if len(known) == 5:
            known = f"{known[:3]}:{known[3:]}"
        stamp = re.sub(r"([.,]\d{6})\d+", r"\1", f"{day}T{clock}") + known
        text = (
            draw.choice(["", "", " ", "\n"])
            + f"{written}{draw.choice('T ')}{clock}{offset}"
            + draw.choice(["", "", "\t "])
        )
        cases.append((text, dt.datetime.fromisoformat(stamp)))
    return cases


def day_there(when: dt.datetime | dt.date, zone: str) -> int:
    """The day in a zone whose clocks stand as in 1970 before, as in 2100 after; kept in Python's years."""
    if not isinstance(when, dt.datetime) or when.tzinfo is None:
        return since(when if not isinstance(when, dt.datetime) else when.date())
    day, seconds = divmod(
        int((when.replace(tzinfo=None) - dt.datetime(1970, 1, 1)) // dt.timedelta(seconds=1)), 86_400
    )
    seconds -= int((when.utcoffset() or dt.timedelta()).total_seconds())
    known = min(max(day * 86_400 + seconds, 0), 4_102_444_800)
    east = dt.datetime.fromtimestamp(known, ZoneInfo(zone)).utcoffset() or dt.timedelta()
    day += (seconds + int(east.total_seconds())) // 86_400
    return min(max(day, since(dt.date.min)), since(dt.date.max))


def test_iso_texts(engine: Any) -> None:
    cases = iso_cases()
    texts = [text for text, _ in cases] + NOT_ISO + BLANKS
    table = engine(numbered(s=pa.array(texts, pa.string())))
    nothing = [None] * (len(NOT_ISO) + len(BLANKS))
    found = rows(table, day=read_day(table.s, timezone="Europe/Prague").value)
    expected = [day_there(when, "Europe/Prague") for _, when in cases] + nothing
    assert [(t, f, e) for t, f, e in zip(texts, found["day"], expected, strict=True) if f != e] == []
    found = rows(table, **parts(s=read_day(table.s)))
    assert found["s_value"] == [day_there(when, "UTC") for _, when in cases] + nothing
    assert found["s_missing"] == [False] * (len(texts) - 4) + [True] * 4
    assert found["s_unreadable"] == [False] * len(cases) + [True] * len(NOT_ISO) + [False] * 4
    assert read_day(table.s).value.type() == ibis.dtype("int32")


def test_every_day_of_the_calendar_and_no_other() -> None:
    iso = re.compile(iso_texts().all)
    compact = re.compile(f"^{read_format('%d%m%Y').texts().all[1:]}")
    ordinal = re.compile(read_format("%Y.%j").texts().all)
    for year in [0, 1, 4, 99, 100, 400, 1000, 1582, *range(1896, 1905), *range(1996, 2030), 2100, 9996, 9999]:
        leap = (dt.date(year, 12, 31) - dt.date(year, 1, 1)).days == 365 if year else True
        for month in range(14):
            for day in range(33):
                try:
                    real = bool(dt.date(year, month, day))
                except ValueError:
                    real = False
                for sign in "-/":
                    text = f"{year:04d}{sign}{month:02d}{sign}{day:02d}"
                    assert bool(iso.search(text)) == real, text
                assert bool(compact.search(f"{day:02d}{month:02d}{year:04d}")) == real
        for day in (0, 1, 99, 365, 366, 367):
            assert bool(ordinal.search(f"{year:04d}.{day}")) == (0 < day <= 365 + leap and year > 0)


# Columns with a type of their own.


def test_dates_and_local_times(engine: Any) -> None:
    stamps = [
        dt.datetime(2026, 3, 29, 2, 30),
        dt.datetime(2026, 10, 25, 23, 59, 59, 999_999),
        dt.datetime(1969, 12, 31, 23, 30),
    ]
    stamps += [dt.datetime(1970, 1, 1), dt.datetime(1900, 1, 1, 0, 30), dt.datetime(9999, 12, 31, 23), None]
    dates = [None if s is None else s.date() for s in stamps]
    table = loaded(engine, numbered(d=pa.array(dates), t=pa.array(stamps, pa.timestamp("us"))))
    read = {"d": read_day(table.d, timezone="Europe/Prague"), "t": read_day(table.t, date_format="%d/%m/%Y")}
    found = rows(table, **parts(**read), shown=read["d"].text)
    for name in "dt":
        assert found[f"{name}_value"] == [None if d is None else since(d) for d in dates]
        assert found[f"{name}_missing"] == [False] * 6 + [True]
        assert found[f"{name}_unreadable"] == [False] * 7
    assert found["shown"] == [None if d is None else str(d) for d in dates]


def moments() -> list[dt.datetime]:
    """Moments at midnight and at changes of the clocks in all zones of the test, and far from both."""
    draw = random.Random(3)
    seconds = [-1, 0, 1, 86_399, 86_400, 4_102_444_800, 4_200_000_000, -2_208_988_799]
    for zone in ZONES:
        local = ZoneInfo(zone)
        changes = [60 * minute for minute, _ in clock_changes(zone)[1]]
        for change in draw.sample(changes, min(12, len(changes))):
            seconds += [change - 1, change, change + 1]
            day = dt.datetime.fromtimestamp(change, local).date()
            for near in (day, day + dt.timedelta(1)):
                midnight = dt.datetime(near.year, near.month, near.day, tzinfo=local)
                seconds += [int(midnight.timestamp()) + d for d in (-3601, -3600, -1, 0, 59, 3599, 3600)]
    seconds += [draw.randrange(-2_208_988_800, 5_000_000_000) for _ in range(200)]
    start = dt.datetime(1970, 1, 1, tzinfo=UTC)
    return [start + dt.timedelta(seconds=s, microseconds=draw.choice([0, 1, 500_000])) for s in seconds]


def test_moments(engine: Any) -> None:
    """Ten zones: some have changed their date, or put their clocks on and back within a week."""
    when = moments()
    table = loaded(engine, numbered(t=pa.array(when, pa.timestamp("us", "Asia/Tokyo"))))
    found = rows(table, **{zone: read_day(table.t, timezone=zone).value for zone in ZONES})
    for zone in ZONES:
        expected = [day_there(moment, zone) for moment in when]
        wrong = [(str(m), f, e) for m, f, e in zip(when, found[zone], expected, strict=True) if f != e]
        assert wrong == [], zone


def test_missing_moments(engine: Any) -> None:
    table = loaded(
        engine, numbered(t=pa.array([None, dt.datetime(2026, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")))
    )
    found = rows(table, **parts(t=read_day(table.t, timezone="Europe/Prague")))
    assert found["t_value"] == [None, since(dt.date(2026, 1, 1))]
    assert (found["t_missing"], found["t_unreadable"]) == ([True, False], [False, False])


@pytest.mark.parametrize("engine", ["duckdb", "postgres"], indirect=True)
def test_infinite_dates(engine: Any) -> None:
    """These engines have them; they are there, and cannot be read."""
    table = engine(numbered(s=pa.array(["infinity", "-infinity", "2026-01-31"])))
    there = table.select(
        "i", d=table.s.cast("date"), t=table.s.cast("timestamp"), z=table.s.cast("timestamp('UTC')")
    )
    found = rows(there, **parts(**{name: read_day(there[name], timezone="Asia/Kolkata") for name in "dt"}))
    moment = rows(there, **parts(z=read_day(there.z, timezone="Asia/Tokyo")))
    for name in "dtz":
        read = found | moment
        day = since(dt.date(2026, 1, 30 + (name != "z" or engine.name == "duckdb")))
        assert read[f"{name}_value"][:2] == [None, None]
        assert abs(read[f"{name}_value"][2] - day) <= 1
        assert (read[f"{name}_missing"], read[f"{name}_unreadable"]) == ([False] * 3, [True, True, False])


@pytest.mark.parametrize("zone", [*ZONES, *sorted(available_timezones())[::25]])
def test_changes_of_the_clocks(zone: str) -> None:
    """Between two changes the offset is what the zone says, on a day drawn in each half-year."""
    first, changes = clock_changes(zone)
    draw, local, i = random.Random(zone), ZoneInfo(zone), 0
    known = first
    for half in range(260):
        minute = half * 262_980 + draw.randrange(262_980)
        while i < len(changes) and changes[i][0] <= minute:
            known, i = changes[i][1], i + 1
        east = dt.datetime.fromtimestamp(60 * minute, local).utcoffset()
        assert east is not None
        assert known == east // dt.timedelta(minutes=1)


# Formats.

FORMATS = {
    "%d.%m.%Y": "UTC",
    " %m/%d/%y": "UTC",
    "%Y%m%d": "UTC",
    "%d-%b-%Y": "UTC",
    "%B %d, %Y at %I.%M %p": "UTC",
    "%Y年%m月%d日 %H^%M[%S\\%f]%%": "UTC",
    "%Y.%j": "UTC",
    "%d/%m/%Y %H:%M:%S.%f %z": "Europe/Prague",
    "%y%m%dT%I%p%z": "Asia/Kolkata",
}
SEPARATE = re.compile(r"(?<!%[YymdjHIMSf])%[mdHIMS](?!%[YymdjHIMSf])")


def written(date_format: str, draw: random.Random) -> str:
    """A date in a format: leading zeros, capital letters and blanks as chance has it."""
    stamp = dt.datetime(draw.choice([2026, 1999, 2000, 1968, 1969, 2024]), 1, 1, tzinfo=UTC)
    stamp += dt.timedelta(
        days=draw.randrange(365), minutes=draw.randrange(1440), microseconds=draw.randrange(10**6)
    )
    stamp = stamp.astimezone(dt.timezone(dt.timedelta(minutes=15 * draw.randrange(-95, 96))))
    if draw.random() < 0.5:
        date_format = SEPARATE.sub(lambda found: stamp.strftime(found[0]).lstrip("0") or "0", date_format)
    text = stamp.strftime(date_format)
    if draw.random() < 0.3:
        text = draw.choice([text.upper(), text.lower(), text.replace(" ", "   ")])
    if draw.random() < 0.5:
        place = draw.randrange(len(text))
        text = text[:place] + draw.choice(["", *"0123456789/.-:x"]) + text[place + draw.randrange(2) :]
    return text


def by_strptime(text: str, date_format: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text.strip(), date_format.strip())
    except ValueError:
        return None


def surely(text: str, date_format: str) -> bool:
    """Say whether we and strptime agree: not so on zeros left out between numbers, nor on day 366 of 365."""
    numbers = {"%Y%m%d": r"\d{8}", "%y%m%dT%I%p%z": r"\d{6}.\d\d"}
    return bool(re.match(numbers.get(date_format, ""), text)) and not re.search(r"\.366", text)


@pytest.mark.parametrize("some", [0, 1, 2])
def test_formats_as_strptime_has_them(engine: Any, some: int) -> None:
    formats = list(FORMATS)[some::3]
    draw = random.Random(some)
    texts = {f: [text for _ in range(600) if surely(text := written(f, draw), f)] for f in formats}
    shortest = min(len(column) for column in texts.values())
    assert shortest > 300
    table = engine(numbered(**{f"f{n}": pa.array(texts[f][:shortest]) for n, f in enumerate(formats)}))
    read = {
        f"f{n}": read_day(table[f"f{n}"], date_format=f, timezone=FORMATS[f]) for n, f in enumerate(formats)
    }
    found = rows(table, **parts(**read))
    for n, f in enumerate(formats):
        stamps = [by_strptime(text, f) for text in texts[f][:shortest]]
        assert 0.15 < sum(stamp is None for stamp in stamps) / shortest < 0.7 or f.startswith("%Y年")
        expected = [None if stamp is None else day_there(stamp, FORMATS[f]) for stamp in stamps]
        wrong = [
            c for c in zip(texts[f][:shortest], found[f"f{n}_value"], expected, strict=True) if c[1] != c[2]
        ]
        assert wrong == [], f
        assert found[f"f{n}_unreadable"] == [stamp is None for stamp in stamps]


def test_zeros_between_numbers_stay() -> None:
    assert re.search(read_format("%Y%m%d").texts().all, "20260111")
    for unclear in ("2026111", "202611", "2026 1 1"):
        assert not re.search(read_format("%Y%m%d").texts().all, unclear)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            "%d.%m.%G",
            "C001 date_format knows %Y %y %m %d %j %b %B %H %I %M %S %f %p %z; got %G in '%d.%m.%G'.",
        ),
        ("%-d/%m/%Y", "got %- in '%-d/%m/%Y'."),
        ("%d/%m/%Y%", "got % in '%d/%m/%Y%'."),
        ("%Y-%m", "C001 date_format must have year, month and day, and nothing twice; got '%Y-%m'."),
        *[
            (f, "must have year, month and day, and nothing twice")
            for f in ("", "day", "%m/%d", "%Y%y%m%d", "%d%m%Y %d")
        ],
        *[
            (f, "must have year, month and day, and nothing twice")
            for f in ("%d.%m.%j.%Y", "%m%b%d%Y", "%d%m%Y%H%I")
        ],
    ],
)
def test_what_is_no_format(wrong: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_format(wrong)
    assert message in str(caught.value)


# Numbers.


def test_numbers_with_a_format_or_a_unit(engine: Any) -> None:
    compact = [20260131, 20240229, 20260229, 2026013, 0, -20260131, None]
    seconds = [0, -1, 1_774_742_400, 1_774_742_399, -62_135_596_800, 253_402_300_799, None]
    table = engine(
        numbered(
            i32=pa.array(compact, "int32"),
            f64=pa.array(compact, "float64"),
            dec=pa.array([None if c is None else Decimal(c) for c in compact], pa.decimal128(12, 0)),
            s=pa.array(seconds, "int64"),
            sf=pa.array([None if s is None else s + 0.25 for s in seconds], "float64"),
            ms=pa.array([None if s is None else s * 1000 + 999 for s in seconds], "int64"),
            us=pa.array([None if s is None else s * 10**6 + 999_999 for s in seconds], "int64"),
            text=pa.array([None if s is None else f" {s:+d}.{75 * (s > 0)}\n" for s in seconds]),
        )
    )
    read = {name: read_day(table[name], date_format="%Y%m%d") for name in ("i32", "f64", "dec")}
    found = rows(table, **parts(**read))
    for name in read:
        assert found[f"{name}_value"] == [
            since(dt.date(2026, 1, 31)),
            since(dt.date(2024, 2, 29)),
            *[None] * 5,
        ]
        assert found[f"{name}_missing"] == [False] * 6 + [True]
        assert found[f"{name}_unreadable"] == [False] * 2 + [True] * 4 + [False]
    start = dt.datetime(1970, 1, 1, tzinfo=UTC)
    days = [None if s is None else day_there(start + dt.timedelta(seconds=s), "Asia/Tokyo") for s in seconds]
    late = [since(dt.date(1970, 1, 1)), since(dt.date(1970, 1, 1)), since(dt.date(2026, 3, 29))]
    assert days[:3] == late
    units = {"s": "s", "sf": "s", "ms": "ms", "us": "us", "text": "s"}
    found = rows(
        table,
        **parts(
            **{n: read_day(table[n], time_unit=unit, timezone="Asia/Tokyo") for n, unit in units.items()}
        ),
    )
    for name in units:
        assert found[f"{name}_value"] == days, name
        assert found[f"{name}_unreadable"] == [False] * 7


def test_what_is_no_unix_time(engine: Any) -> None:
    texts = ["1767571200", "1e9", "2026-01-31", "0x10", "1 767", "", None, "9" * 18, "9" * 30]
    table = engine(
        numbered(
            s=pa.array(texts),
            n=pa.array([1_767_571_200, 10**12, -(10**12), 2**63 - 1, -(2**63), 0, None, 1, 1], "int64"),
            x=pa.array(
                [1.7e9, float("inf"), float("-inf"), float("nan"), 1e300, -1e300, None, 0.5, -0.5], "float64"
            ),
        )
    )
    found = rows(table, **parts(**{name: read_day(table[name], time_unit="s") for name in "snx"}))
    assert found["s_value"] == [20_458, *[None] * 8]
    assert found["s_missing"] == [text in ("", None) for text in texts]
    assert found["s_unreadable"] == [False] + [True] * 4 + [False] * 2 + [True] * 2
    assert found["n_value"] == [20_458, None, None, None, None, 0, None, 0, 0]
    assert found["n_unreadable"] == [False, True, True, True, True, False, False, False, False]
    assert found["x_value"] == [19_675, *[None] * 6, 0, -1]
    assert found["x_missing"] == [False, False, False, True, False, False, True, False, False]
    assert found["x_unreadable"] == [False, True, True, False, True, True, False, False, False]


def test_numbers_without_a_word_are_no_dates(engine: Any) -> None:
    table = engine(numbered(n=pa.array([20_260_131, 1, None], "int64"), b=pa.array([True, False, None])))
    found = rows(table, **parts(n=read_day(table.n), b=read_day(table.b, date_format="%Y%m%d")))
    for name in "nb":
        assert found[f"{name}_value"] == [None] * 3
        assert found[f"{name}_missing"] == [False, False, True]
        assert found[f"{name}_unreadable"] == [True, True, False]


def test_a_format_and_a_unit_exclude_each_other() -> None:
    column = ibis.table({"n": "int64"}).n
    for options in ({"time_unit": "week"}, {"time_unit": "s", "date_format": "%Y%m%d"}):
        with pytest.raises(
            ConfigError, match="C001 time_unit must be one of s, ms, us, without a date_format"
        ):
            read_day(column, **options)


def test_the_date_of_a_day(engine: Any) -> None:
    days = [0, -1, 1, 20_484, since(dt.date.min), since(dt.date.max), None]
    table = engine(numbered(day=pa.array(days, "int32")))
    found = rows(table, date=date_of(table.day), again=read_day(date_of(table.day)).value)
    assert found["date"] == [None if day is None else EPOCH + dt.timedelta(day) for day in days]
    assert found["again"] == days


# Shapes.


def shapes(table: Any, column: str, **options: Any) -> list[str]:
    """The names of the shapes of each row, with blanks between them."""
    made = date_shapes(table[column], **options)
    found = rows(table, **made)
    assert all(value in (True, False) for name in made for value in found[name])
    return [" ".join(name for name in made if found[name][i]) for i in range(len(found["i"]))]


TEXT_SHAPES = {
    "20260131": "integer_date",
    " 19991231 ": "integer_date",
    "21000101": "",
    "1767571200": "epoch_s",
    "1767571200123": "epoch_ms",
    "17675712001": "",
    "03/04/2026": "slashed",
    "3.4.2026 10:30": "slashed",
    "13-04-2026": "slashed first_over_12",
    "31/02/2026\n": "slashed first_over_12",
    "4/13/2026": "slashed second_over_12",
    "31/31/2026": "slashed first_over_12 second_over_12",
    "32/01/2026": "slashed",
    "03/04/26": "",
    "2026-01-31": "",
    "2026-01-31 00:00:00.000": "",
    "2026-01-31T00:00": "",
    "2026-01-31 00:00:01": "with_time near_midnight",
    "2026-01-31 01:59": "with_time near_midnight",
    "2026/01/31 02:00 ": "with_time",
    "2026-01-31T21:59:59.5": "with_time",
    "2026-01-31T22:00": "with_time near_midnight",
    "2026-02-31 22:00": "",
    "2026-01-31T22:00Z": "with_offset",
    "2026-01-31 00:00 +0200": "with_offset",
    "": "",
    "soon": "",
}


def test_shapes_of_texts(engine: Any) -> None:
    table = engine(numbered(s=pa.array([*TEXT_SHAPES, None])))
    assert dict(zip(TEXT_SHAPES, shapes(table, "s"), strict=False)) == TEXT_SHAPES
    assert shapes(table, "s")[-1] == ""


def test_shapes_of_columns(engine: Any) -> None:
    stamps = [dt.datetime(2026, 1, 31), dt.datetime(2026, 1, 31, 0, 0, 1), dt.datetime(2026, 1, 31, 12), None]
    stamps += [dt.datetime(2026, 1, 31, 22), dt.datetime(1969, 12, 31, 21, 59, 59)]
    numbers = [20_260_131, 1_767_571_200, 1_767_571_200_123, None, 21_000_101, -20_260_131]
    table = loaded(
        engine,
        numbered(
            d=pa.array([None if s is None else s.date() for s in stamps]),
            t=pa.array(stamps, pa.timestamp("us")),
            z=pa.array(stamps, pa.timestamp("us", "UTC")),
            n=pa.array(numbers, "int64"),
            x=pa.array([20_260_131.0, 20_260_131.5, 1e12, None, float("nan"), float("inf")], "float64"),
            b=pa.array([True, False, None, True, True, True]),
        ),
    )
    assert shapes(table, "d") == shapes(table, "b") == [""] * 6
    assert shapes(table, "t") == [
        "",
        "with_time near_midnight",
        "with_time",
        "",
        "with_time near_midnight",
        "with_time",
    ]
    assert shapes(table, "z") == [*["with_offset"] * 3, "", *["with_offset"] * 2]
    assert shapes(table, "n") == ["integer_date", "epoch_s", "epoch_ms", "", "", ""]
    assert shapes(table, "x") == ["integer_date", "", "epoch_ms", "", "", ""]


def test_shapes_under_a_format(engine: Any) -> None:
    texts = [
        "31/1/2026 12:00 am",
        "31/01/2026 12:30 AM",
        "31/01/2026 10:00 PM",
        "31/01/2026 10:00 AM",
        "31/02/2026 11:00 PM",
    ]
    table = engine(numbered(s=pa.array(texts), z=pa.array([f"{text} +02:00" for text in texts])))
    found = shapes(table, "s", date_format="%d/%m/%Y %I:%M %p")
    timed = ["", "with_time near_midnight", "with_time near_midnight", "with_time", ""]
    assert found == [f"slashed first_over_12 {shape}".strip() for shape in timed]
    found = shapes(table, "z", date_format="%d/%m/%Y %I:%M %p %z")
    assert found == ["slashed first_over_12 with_offset"] * 4 + ["slashed first_over_12"]


# Zones.


def test_known_zones() -> None:
    assert (known_zone(None), known_zone("Europe/Prague")) == ("UTC", "Europe/Prague")
    for wrong, hint in (
        ("Prague", " Did you mean 'Europe/Prague'?"),
        ("Nowhere", ""),
        (7, ""),
        ("../UTC", None),
    ):
        with pytest.raises(ConfigError) as caught:
            known_zone(wrong)  # type: ignore[arg-type]
        assert str(caught.value).startswith(
            f"C001 timezone must be a name such as 'Europe/Prague'; got {wrong!r}."
        )
        assert hint is None or str(caught.value).endswith(f"got {wrong!r}.{hint}")
