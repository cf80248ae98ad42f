"""What every model must obey whatever it is of: shapes, weights, scores, units; used by the contracts."""

import dataclasses

import numpy as np

from clv.models.protocols import parameter_kinds


def names(model):
    """Names of the parameters that can be estimated."""
    return list(parameter_kinds(model if isinstance(model, type) else type(model)))


def change(model, **changes):
    return dataclasses.replace(model, **changes)


def rows(history, index):
    """Return a history with some of the rows."""
    columns = {
        f.name: getattr(history, f.name)[index]
        for f in dataclasses.fields(history)
        if f.name not in ("unit", "group", "labels")
    }
    return type(history)(**columns, unit=history.unit)


def in_other_units(model, c):
    """Return the same model where the unit of the history is c times as small."""
    power = {"positive": 0, "scale": 1, "rate": -1}
    kinds = parameter_kinds(type(model))
    return change(model, **{name: getattr(model, name) * c ** power[kind] for name, kind in kinds.items()})


def check_broadcasting(model, history, method, shape):
    """Scalars, draws and columns of parameters give what a loop gives."""
    rng = np.random.default_rng(6)
    draws = {n: getattr(model, n) * rng.uniform(0.5, 2, shape) for n in names(model)}
    found = method(change(model, **draws), history)
    whole = np.broadcast_shapes(shape, (len(history),))
    columns = {n: np.broadcast_to(v, whole) for n, v in draws.items()}
    lead = found.shape[: found.ndim - len(whole)]
    assert found.shape == lead + whole
    for index in np.ndindex(whole):
        one = change(model, **{n: float(v[index]) for n, v in columns.items()})
        want = method(one, rows(history, [index[-1]]))[..., 0]
        np.testing.assert_allclose(found[(..., *index)], want, rtol=1e-11, atol=1e-13)


def check_repeated_rows(model, history, method):
    """Scalars give one value a history, and a row that is there twice the same value twice."""
    found = method(model, history)
    assert found.shape[-1:] == (len(history),)
    twice = rows(history, np.tile(np.arange(len(history)), 2))
    np.testing.assert_array_equal(method(model, twice), np.concatenate([found, found], axis=-1))


def check_score(model, history):
    """The score is the slope of the log-likelihood."""

    def slope(name):
        value = getattr(model, name)
        step = 1e-5 * value
        up, down = (change(model, **{name: value + d}).log_likelihood(history) for d in (step, -step))
        return (up - down) / (2 * step)

    np.testing.assert_allclose(model.score(history), [slope(n) for n in names(model)], rtol=1e-6, atol=1e-8)
