"""Small ready networks: dense layers, perceptrons, convolutional trunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen

from jaxreg._linalg import matmul
from jaxreg._typing import Array
from jaxreg.nn._module import Chain, Module
from jaxreg.nn.linen import from_linen

Activation = Callable[[Array], Array]


def dense(features: int | None = None, activation: Activation | None = None) -> Module:
    """An affine layer on everything but the row axis, (n, ...) -> (n, features); None gives one number per row, (n,).

    >>> import jax, jax.numpy as jnp
    >>> from jaxreg import nn
    >>> layer = nn.dense()
    >>> layer.apply(layer.init(jax.random.key(0), jnp.ones((4, 2, 3))), jnp.ones((4, 2, 3))).shape
    (4,)
    """
    inner = from_linen(linen.Dense(1 if features is None else features))

    def apply(params: Any, x: Array, key: Array | None = None) -> Array:
        y = inner.apply(params, flat(x))
        y = y[:, 0] if features is None else y
        return y if activation is None else activation(y)

    return Module(lambda key, x: inner.init(key, flat(x)), apply)


def channels(features: int, activation: Activation | None = None) -> Module:
    """An affine layer on the last axis, (n, ..., c) -> (n, ..., features): a 1x1 convolution."""
    layer = from_linen(linen.Dense(features))
    return layer if activation is None else layer.then(activation)


def mlp(widths: Sequence[int], out: int | None = None, activation: Activation = jax.nn.relu) -> Chain:
    """Dense layers with an activation after each; `out` adds a last affine layer of that size without one.

    >>> import jax, jax.numpy as jnp
    >>> from jaxreg import nn
    >>> sorted(nn.mlp((8, 4)).init(jax.random.key(0), jnp.ones((1, 3))))
    ['0', '1']
    """
    hidden = tuple(dense(width, activation) for width in widths)
    return Chain(hidden if out is None else (*hidden, dense(out)))


def conv(filters: int, size: int = 3, activation: Activation = jax.nn.relu, pool: int = 2) -> Module:
    """A convolution of stride 1 on images (n, h, w, c), zero padded, an activation, and max pooling of that width."""
    layer = from_linen(linen.Conv(filters, (size, size), conv_general_dilated=_convolve))
    return layer.then(activation).then(lambda x: max_pool(x, pool))


def conv_trunk(filters: Sequence[int] = (32, 64), size: int = 3, pool: int = 2) -> Chain:
    """Stages of convolution, relu and pooling on images (n, h, w, c); heads such as `dense` flatten what comes out.

    >>> import jax, jax.numpy as jnp
    >>> from jaxreg import nn
    >>> trunk = nn.conv_trunk((4, 8))
    >>> params = trunk.init(jax.random.key(0), jnp.ones((2, 8, 8, 1)))
    >>> params["1"]["kernel"].shape, trunk.apply(params, jnp.ones((2, 8, 8, 1))).shape
    ((3, 3, 4, 8), (2, 2, 2, 8))
    """
    return Chain(tuple(conv(width, size, pool=pool) for width in filters))


def max_pool(x: Array, width: int) -> Array:
    """Largest entry of every width x width block of images (n, h, w, c); rows and columns left over are dropped."""
    n, h, w, c = x.shape
    if width > min(h, w):
        raise ValueError(f"max_pool: images of {h} x {w} are smaller than the pooling width {width}; use fewer stages.")
    if width == 1:
        return x
    x = x[:, : h // width * width, : w // width * width]
    return jnp.max(x.reshape(n, h // width, width, w // width, width, c), (2, 4))


def flat(x: Array) -> Array:
    """(n, ...) as (n, features)."""
    return x.reshape(x.shape[0], -1)


def _convolve(x: Array, kernel: Array, strides: Any, padding: Any, **_: Any) -> Array:
    """The convolution as one matrix product of patches: on CPU, in a loop and vmapped, XLA's own is 10 times slower."""
    rows, columns, inputs, filters = kernel.shape
    h, w = x.shape[1:3]
    x = jnp.pad(x, ((0, 0), *(((k - 1) // 2, k // 2) for k in (rows, columns)), (0, 0)))
    patches = [x[:, i : i + h, j : j + w] for i in range(rows) for j in range(columns)]
    return matmul(jnp.concatenate(patches, -1), kernel.reshape(rows * columns * inputs, filters))
