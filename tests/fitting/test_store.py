"""Fits as files: what comes back, what is refused, and that no customer is in them."""

import dataclasses
import json

import arviz as az
import numpy as np
import pytest

import clv
from clv import BGNBD, NBD, ConfigError, DataError, Fit, GammaGamma, OutputError, PurchaseHistory

H = BGNBD(0.6, 8.0, 0.8, 2.5).simulate(np.random.default_rng(7), np.full(250, 40.0))
GROUPED = PurchaseHistory(H.x, H.t_x, H.T, group=np.where(np.arange(len(H)) % 3, "Köln", "web"))
QUIET = NBD(0.8, 10.0).simulate(np.random.default_rng(5), np.full(300, 30.0))


def made():
    yield "mle", clv.fit(BGNBD, H)
    yield "at a ridge", clv.fit(BGNBD, QUIET)
    yield "held", clv.fit(clv.MBGCNBD, clv.GapHistory(H.x, H.t_x, H.T, log_gaps=0.0), k=2, a=1.0)
    yield "map", clv.fit(BGNBD, H, method="map", priors={"share_lost": (0.1, 0.4)})
    yield "laplace", clv.fit(BGNBD, H, method="laplace")
    yield "groups", clv.fit(BGNBD, GROUPED, method="map")
    yield "draws by group", clv.fit(BGNBD, GROUPED, method="laplace", pooling="none")
    yield "chains", clv.fit(BGNBD, GROUPED, method="nuts", draws=100, chains=2)


FITS = dict(made())
each_fit = pytest.mark.parametrize("name", FITS)


@each_fit
def test_a_fit_comes_back_as_it_was(name, tmp_path):
    fit = FITS[name]
    fit.save(tmp_path / "fit.json")
    again = Fit.load(tmp_path / "fit.json")
    assert again.to_dict() == fit.to_dict()
    assert repr(again) == repr(fit)
    assert again.passed == fit.passed
    assert again.at_edge == fit.at_edge
    data = GROUPED if fit.groups else H
    np.testing.assert_array_equal(again.at(data).p_alive(data), fit.at(data).p_alive(data))
    if fit.posterior:
        np.testing.assert_array_equal(again.posterior.theta, fit.posterior.theta)
        assert set(again.posterior.stats) == set(fit.posterior.stats)
        assert again.posterior.chains == fit.posterior.chains
        for part, values in fit.posterior.population.items():
            np.testing.assert_array_equal(again.posterior.population[part], values)
        assert repr(again.loo(data)) == repr(fit.loo())


@each_fit
def test_no_customer_is_in_a_file(name, tmp_path):
    FITS[name].save(tmp_path / "fit.json")
    few = json.loads((tmp_path / "fit.json").read_text())
    assert few["histories"] > 20
    assert all(not isinstance(v, list) or len(v) < 10 for v in few.values())
    assert {p.name for p in tmp_path.iterdir()} == {"fit.json", *(["fit.nc"] if FITS[name].posterior else [])}


def test_a_fit_that_failed_still_fails_when_it_is_read(tmp_path):
    for at, worst in enumerate((np.inf, np.nan, 0.9)):
        bad = dataclasses.replace(FITS["laplace"].posterior, diagnostics={"k_hat": worst})
        dataclasses.replace(FITS["laplace"], posterior=bad).save(tmp_path / f"{at}.json")
        again = Fit.load(tmp_path / f"{at}.json")
        assert not again.passed
        assert again.posterior.message("laplace").startswith("M002")


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path):
    fit = FITS["laplace"]
    fit.save(tmp_path / "fit.json")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(OutputError, match="O001"):
        fit.save(tmp_path / "fit.json")
    (tmp_path / "fit.json").unlink()
    with pytest.raises(OutputError, match=r"O001 .*fit\.nc"):
        fit.save(tmp_path / "fit.json")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"fit.nc": before["fit.nc"]}
    for one in (fit, FITS["mle"]):
        with pytest.raises(OutputError, match="O002"):
            one.save(tmp_path / "nowhere" / "fit.json")
    with pytest.raises(ConfigError, match="C012"):
        fit.save(tmp_path / "fit.nc")


def test_a_file_that_is_newer_or_no_fit_is_refused(tmp_path):
    path = tmp_path / "fit.json"
    FITS["laplace"].save(path)
    good = json.loads(path.read_text())
    for changed, error, words in (
        ({**good, "schema": 2, "clv": "9.1"}, OutputError, "O003 .*written by clv 9.1"),
        ({**good, "model": "BGNBX"}, DataError, "I001"),
        ({"schema": 1}, DataError, "I001"),
        ([1], DataError, "I001"),
    ):
        path.write_text(json.dumps(changed))
        with pytest.raises(error, match=words):
            Fit.load(path)
    path.write_text("{")
    with pytest.raises(DataError, match="I001"):
        Fit.load(path)
    path.write_text(json.dumps(good))
    (tmp_path / "fit.nc").write_bytes(b"no draws")
    with pytest.raises(DataError, match="I001"):
        Fit.load(path)
    with pytest.raises(DataError, match="I001"):
        Fit.load(tmp_path / "other.json")


# For ArviZ.


def test_draws_are_a_tree_that_arviz_reads():
    fit = FITS["chains"]
    tree = fit.to_datatree()
    table = az.summary(tree, var_names=["r", "share_lost"])
    assert list(table.index) == ["r[Köln]", "r[web]", "share_lost[Köln]", "share_lost[web]"]
    assert tree["posterior"]["r"].shape == (2, 100, 2)
    assert tree["posterior"]["r"].values.reshape(200, 2) == pytest.approx(fit.draws["r"])
    assert {"diverging", "energy", "lp"} <= set(tree["sample_stats"].data_vars)
    assert tree["population"]["spread"].dims == ("chain", "draw", "quantity")
    assert FITS["laplace"].to_datatree()["posterior"]["a"].shape == (1, 1000)
    with pytest.raises(ConfigError, match="C012 a fit by mle has no draws"):
        FITS["mle"].to_datatree()


def test_arviz_draws_what_a_tree_holds():
    import matplotlib

    matplotlib.use("agg")
    assert az.plot_dist(FITS["laplace"].to_datatree(), var_names=["r", "a"]) is not None


# Leave one out.


@pytest.mark.parametrize("kind", [BGNBD, GammaGamma])
def test_leaving_one_out_is_that_of_arviz_on_single_customers(kind):
    import xarray as xr

    if kind is GammaGamma:
        spend = GammaGamma(6.0, 4.0, 15.0).simulate(np.random.default_rng(2), np.tile([1.0, 2], 40))
        data = clv.SpendHistory(np.tile(spend.m, 3), np.tile(spend.S, 3))
    else:
        data = PurchaseHistory(np.tile(H.x, 2), np.tile(H.t_x, 2), np.tile(H.T, 2))
    fit = clv.fit(kind, data, method="laplace")
    found = fit.loo()
    logs = fit.model.log_likelihood(data)[None]
    steps = {"chain": [0], "draw": np.arange(1000)}
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({"r": (("chain", "draw"), np.zeros((1, 1000)))}, steps),
            "log_likelihood": xr.Dataset({"y": (("chain", "draw", "customer"), logs)}, steps),
        }
    )
    theirs = az.loo(tree, reff=1.0)
    assert found.elpd == pytest.approx(theirs.elpd, abs=1e-6)
    assert found.se == pytest.approx(theirs.se, rel=1e-6)
    assert found.p_loo == pytest.approx(theirs.p, abs=1e-6)
    assert found.customers == len(data)
    assert found.doubtful == 0
    assert "worst k-hat" in repr(found)


def test_leaving_one_out_needs_draws_and_data():
    with pytest.raises(ConfigError, match="loo needs draws"):
        FITS["mle"].loo()
