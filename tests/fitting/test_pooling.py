"""Parameters by group: for themselves, drawn together, or all alike."""

import numpy as np
import pandas as pd
import pytest

import clv
from clv import BGNBD, ConfigError, DataError, FitError, GammaGamma, PurchaseHistory

SIZES = {"large": 900, "middle": 200, "small": 25, "tiny": 3}


def shop(seed=1, shares=(0.15, 0.35, 0.2, 0.25), spread=0.15):
    """Groups of different size whose customers leave differently."""
    rng = np.random.default_rng(seed)
    rows = []
    for (name, size), lost in zip(SIZES.items(), shares, strict=True):
        r = 0.8 * np.exp(spread * rng.standard_normal())
        h = BGNBD(r, 6.0, 4 * lost, 4 * (1 - lost)).simulate(rng, rng.uniform(20, 60, size).round())
        rows.append((h.x, h.t_x, h.T, np.full(size, name)))
    x, t_x, T, group = (np.concatenate(column) for column in zip(*rows, strict=True))
    return PurchaseHistory(x, t_x, T, group=group)


H = shop()
METHODS = {"map": {"method": "map"}, "alone": {"method": "map", "pooling": "none"}}


@pytest.fixture(scope="module")
def fits():
    return {name: clv.fit(BGNBD, H, **options) for name, options in METHODS.items()}


def test_groups_keep_their_names_and_have_parameters_of_their_own(fits):
    fit = fits["map"]
    assert fit.groups == ("large", "middle", "small", "tiny")
    assert (fit.pooling, fits["alone"].pooling) == ("partial", "none")
    assert all(value.shape == (4,) for value in fit.parameters.values())
    gathered = fit.at(H)
    assert gathered.r.shape == (len(H),)
    for code, part in enumerate(H.parts()):
        one = BGNBD(**{name: float(v[code]) for name, v in fit.parameters.items()})
        rows = H.group == code
        np.testing.assert_allclose(gathered.p_alive(H)[rows], one.p_alive(part), rtol=1e-12)
    assert fit.log_likelihood == pytest.approx(gathered.log_likelihood(H) @ np.ones(len(H)))


def test_the_smaller_a_group_the_closer_it_stays_to_all(fits):
    whole = clv.fit(BGNBD, H, method="map", pooling="complete").parameters
    pooled, alone = fits["map"].parameters, fits["alone"].parameters

    def rate(parameters):
        return np.log(np.asarray(parameters["r"] / parameters["alpha"]))

    moved = np.abs(rate(pooled) - rate(alone))
    assert moved[0] < 0.02  # nine hundred customers speak for themselves
    assert moved[3] > 0.1  # three do not
    assert abs(rate(pooled)[3] - rate(whole)) < 0.5 * abs(rate(alone)[3] - rate(whole))
    lost = pooled["a"] / (pooled["a"] + pooled["b"])
    assert lost[0] < 0.15 < 0.25 < lost[1]  # and what differs still does


def test_groups_that_do_not_differ_are_drawn_together():
    same = shop(seed=2, shares=(0.25,) * 4, spread=0.0)
    pooled, alone = (clv.fit(BGNBD, same, **METHODS[name]).parameters for name in ("map", "alone"))
    assert np.log(pooled["r"]).std() < 0.5 * np.log(alone["r"]).std()


@pytest.mark.parametrize("size", [7.0, 1e-3])
def test_the_unit_changes_no_group(fits, size):
    again = clv.fit(BGNBD, H.rescaled(size), method="map")
    np.testing.assert_allclose(again.parameters["r"], fits["map"].parameters["r"], rtol=1e-5)
    np.testing.assert_allclose(again.parameters["alpha"] * size, fits["map"].parameters["alpha"], rtol=1e-5)


def test_each_group_for_itself_is_what_its_customers_alone_give():
    together = clv.fit(BGNBD, H, method="laplace", pooling="none")
    for code, part in enumerate(H.parts()):
        one = clv.fit(BGNBD, part, method="laplace", seed=code)
        np.testing.assert_allclose(together.draws["alpha"][:, code], one.draws["alpha"])
        assert together.parameters["a"][code] == pytest.approx(one.parameters["a"])
    assert together.passed
    assert "purchases: repeat purchases" in together.summary()


def test_groups_with_the_same_data_have_draws_of_their_own():
    part = H.parts()[1]
    twice = [np.tile(v, 2) for v in (part.x, part.t_x, part.T)]
    data = PurchaseHistory(*twice, group=np.repeat(["a", "b"], len(part)))
    drawn = clv.fit(BGNBD, data, method="laplace", pooling="none").draws["alpha"]
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.15


@pytest.mark.parametrize("ratio", [5.0, 20.0, 60.0])
def test_groups_that_differ_widely_are_found(ratio):
    rng = np.random.default_rng(4)
    parts = [BGNBD(0.8, 40.0 / often, 0.8, 2.5).simulate(rng, np.full(300, 60.0)) for often in (1.0, ratio)]
    columns = [np.concatenate([getattr(p, name) for p in parts]) for name in ("x", "t_x", "T")]
    fit = clv.fit(BGNBD, PurchaseHistory(*columns, group=np.repeat(["few", "many"], 300)), method="map")
    assert fit.converged
    rate = fit.parameters["r"] / fit.parameters["alpha"]
    assert rate[1] / rate[0] == pytest.approx(ratio, rel=0.25)


def test_a_group_that_is_empty_or_has_no_label_is_refused():
    weights = np.where(H.group == 3, 0.0, 1.0)
    none = PurchaseHistory(H.x, H.t_x, H.T, weights, group=H.group, labels=H.labels)
    for pooling in ("none", "partial"):
        with pytest.raises(FitError, match=r"M001 tiny \(1 groups?\) has no customers"):
            clv.fit(BGNBD, none, method="map", pooling=pooling)
    with pytest.raises(DataError, match="D046 group must hold numbers of 1 labels"):
        PurchaseHistory([1, 0], [2, 0], [9, 9], group=[0, 1], labels=("a",))


def test_each_group_has_its_own_errors():
    fit = clv.fit(BGNBD, H, pooling="none")
    one = clv.fit(BGNBD, H.parts()[0])
    for name, error in one.standard_errors.items():
        assert fit.standard_errors[name][0] == pytest.approx(error)
        assert fit.intervals()[name][0][0] == pytest.approx(one.intervals()[name][0])
    assert np.isnan(clv.fit(BGNBD, H, method="map").aic)


def test_all_alike_is_a_fit_without_groups():
    complete = clv.fit(BGNBD, H, method="laplace", pooling="complete")
    np.testing.assert_allclose(
        complete.posterior.theta, clv.fit(BGNBD, H.whole(), method="laplace").posterior.theta
    )
    assert complete.groups == ()
    assert complete.pooling == "complete"


def test_maximum_likelihood_names_the_groups_it_leaves_open():
    fit = clv.fit(BGNBD, H, pooling="none")
    assert fit.converged
    assert fit.message.startswith("M003 the data leave parameters open in")
    assert "tiny" in fit.message
    assert np.isfinite(fit.at(H).expected_purchases(H, 52.0)).all()


def test_a_group_without_a_repeat_purchase_fails_alone_and_is_carried_by_the_others():
    quiet = PurchaseHistory(
        np.append(H.x, [0, 0]),
        np.append(H.t_x, [0, 0]),
        np.append(H.T, [30, 40]),
        group=[*np.array(H.labels)[H.group], "new", "new"],
    )
    with pytest.raises(FitError, match=r"M001 BGNBD cannot be fitted: nobody bought again.*Group: new\."):
        clv.fit(BGNBD, quiet, pooling="none")
    fit = clv.fit(BGNBD, quiet, method="map")
    new = fit.groups.index("new")
    assert 0.3 < fit.parameters["r"][new] / fit.parameters["r"][fit.groups.index("large")] < 3
    assert clv.fit(BGNBD, quiet, method="laplace", pooling="none").passed


def test_a_group_that_the_fit_has_not_seen_is_refused(fits):
    with pytest.raises(DataError, match="D041 web"):
        fits["map"].at(PurchaseHistory([1], [2], [9], group=["web"]))
    with pytest.raises(DataError, match="D047"):
        fits["map"].at(PurchaseHistory([1], [2], [9]))
    with pytest.raises(DataError, match="D046 group must have a label for each of 2 rows"):
        PurchaseHistory([1, 0], [2, 0], [9, 9], group=["web"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "mle"}, "partial pooling is done by"),
        ({"method": "laplace", "pooling": "partial"}, "partial pooling is done by"),
        ({"method": "map", "pooling": "half"}, "pooling must be one of none, partial, complete"),
        (
            {"method": "map", "pooling": "none", "priors": {"between_groups": (0.1, 1)}},
            "no prior on 'between_groups'",
        ),
    ],
)
def test_pairs_that_do_not_go_together_are_refused(options, words):
    with pytest.raises(ConfigError, match=words) as caught:
        clv.fit(BGNBD, H, **options)
    assert caught.value.codes == ["C012"]


def test_how_far_groups_differ_has_a_prior_too():
    near, far = (
        clv.fit(BGNBD, H, method="map", priors={"between_groups": ends}).parameters["a"]
        for ends in ((0.001, 0.01), (0.9, 2.0))
    )
    assert np.log(near).std() < 0.1 * np.log(far).std()


def test_spend_is_pooled_as_well():
    rng = np.random.default_rng(5)
    parts = [
        (name, GammaGamma(6.0, 4.0, g).simulate(rng, rng.integers(1, 5, n)))
        for name, g, n in (("a", 15.0, 300), ("b", 25.0, 150), ("c", 40.0, 4))
    ]
    h = clv.SpendHistory(
        np.concatenate([p.m for _, p in parts]),
        np.concatenate([p.S for _, p in parts]),
        group=np.repeat([n for n, _ in parts], [len(p) for _, p in parts]),
    )
    fit = clv.fit(GammaGamma, h, method="map")
    mean = fit.estimate.p * fit.estimate.gamma / (fit.estimate.q - 1)
    assert mean[0] < mean[1]
    assert mean[0] < mean[2]


def test_cohorts_of_contracts_are_pooled_too():
    rows = [
        (2021, 1, 400, 100),
        (2021, 2, 300, 50),
        (2021, 3, 250, 30),
        (2022, 1, 300, 40),
        (2022, 2, 260, 25),
    ]
    columns = ["cohort", "age", "at_risk", "churned"]
    table = clv.Renewals(pd.DataFrame([*rows, (2023, 1, 12, 7)], columns=columns))
    fit = clv.fit(clv.SBG, table, method="map", by="cohort")
    assert fit.groups == ("2021", "2022", "2023")
    alone = clv.fit(clv.SBG, table, method="map", by="cohort", pooling="none")
    lost = [1 - f.estimate.survival(1) for f in (fit, alone)]
    assert lost[0][0] == pytest.approx(lost[1][0], abs=0.01)
    assert lost[0][2] < lost[1][2] - 0.03  # five of twelve stay: too few to believe
    whole = table.history(clv.RetentionHistory)
    parts = table.history(clv.RetentionHistory, by=("cohort",))
    assert sorted(zip(parts.whole().age, parts.whole().churned, parts.whole().weight, strict=True)) == sorted(
        zip(whole.age, whole.churned, whole.weight, strict=True)
    )
    with pytest.raises(DataError, match="D047"):
        clv.fit(clv.SBG, table, method="map", by="channel")


@pytest.mark.slow
def test_chains_of_pooled_groups_stand_around_their_modes(fits):
    fit = clv.fit(BGNBD, H, method="nuts", seed=3, draws=500)
    assert fit.passed, fit.message
    assert fit.model.r.shape == (2000, 4)
    assert fit.posterior.population["spread"].shape == (2000, 4)
    for name, value in fits["map"].parameters.items():
        low, high = fit.intervals(0.99)[name]
        assert np.all((low < value) & (value < high))
    alone = clv.fit(BGNBD, H, method="laplace", pooling="none")
    tiny, large = fit.groups.index("tiny"), fit.groups.index("large")
    for name in ("purchases", "share_lost"):
        width = {g: [np.log(f.quantities[name][:, g]).std() for f in (fit, alone)] for g in (tiny, large)}
        assert width[tiny][0] < 0.8 * width[tiny][1]
        assert width[large][0] < 1.1 * width[large][1]
    found = fit.at(H).expected_purchases(H, 52.0)
    assert found.shape == (2000, len(H))
