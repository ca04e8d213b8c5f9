"""Adapters and layers: flax's own answers, and what keeps state is refused."""

import jax
import numpy as np
import pytest
from flax import linen, nnx

from jaxreg import nn

X = np.random.default_rng(0).normal(size=(2, 5, 5, 2)).astype("float32")


def test_the_convolution_is_flax_own():
    layer = nn.conv(3, pool=1, activation=lambda x: x)
    params = layer.init(jax.random.key(0), X)
    theirs = linen.Conv(3, (3, 3)).apply({"params": params}, X)
    np.testing.assert_allclose(layer.apply(params, X), theirs, rtol=1e-5, atol=1e-5)
    pooled = nn.conv(3, pool=2).apply(params, X)
    np.testing.assert_allclose(pooled, linen.max_pool(linen.relu(theirs), (2, 2), (2, 2)), rtol=1e-5, atol=1e-5)


def test_linen_state_is_refused_and_dropout_follows_the_key():
    with pytest.raises(ValueError, match="batch_stats"):
        nn.from_linen(linen.BatchNorm(use_running_average=False)).init(jax.random.key(0), X)
    with pytest.raises(TypeError, match=r"expected a flax\.linen\.Module"):
        nn.from_linen(nn.dense(2))
    net = nn.from_linen(linen.Dropout(0.5), train={"deterministic": False}, evaluate={"deterministic": True})
    np.testing.assert_array_equal(net.apply({}, X), X)
    assert (np.asarray(net.apply({}, X, jax.random.key(1))) == 0).any()


class Two(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.layers = nnx.List([nnx.Linear(2, 3, rngs=rngs), nnx.Linear(3, 2, rngs=rngs)])

    def __call__(self, x):
        return self.layers[1](nnx.relu(self.layers[0](x)))


def test_nnx_modules_are_built_anew_for_every_copy():
    x = np.ones((4, 2), "float32")
    heads = nn.Stack(nn.from_nnx(lambda rngs: Two(rngs)), 3)
    params = heads.init(jax.random.key(0), x)
    kernels = params["layers"][0]["kernel"]
    assert kernels.shape == (3, 2, 3) and len(np.unique(np.asarray(kernels)[:, 0, 0])) == 3
    first, second = (np.asarray(params["layers"][i]["kernel"])[1] for i in range(2))
    by_hand = np.maximum(x @ first, 0) @ second
    np.testing.assert_allclose(heads.apply(params, x)[1], by_hand, rtol=1e-5, atol=1e-6)


def test_nnx_state_and_built_modules_are_refused():
    with pytest.raises(TypeError, match="a function that builds"):
        nn.from_nnx(Two(nnx.Rngs(0)))
    with pytest.raises(ValueError, match=r"mean"):
        nn.from_nnx(lambda rngs: nnx.BatchNorm(3, rngs=rngs))
