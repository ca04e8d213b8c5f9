"""Wide data are read where they lie: a path takes little memory beside X and its own result."""

from pathlib import Path

import numpy as np
import pytest

import jaxreg as jr

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def megabytes(name: str) -> float:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


@pytest.mark.parametrize("far", [0.0, 50.0], ids=["centred", "far from zero"])
@pytest.mark.parametrize(("loss", "penalty"), [(jr.Squared(), jr.L1()), (jr.Logistic(), jr.L1())], ids=repr)
def test_a_wide_path_holds_x_once(loss: jr.Loss, penalty: jr.Penalty, far: float, x64):
    try:
        RESET.write_text("5")
    except OSError:
        pytest.skip("peaks of memory are reset by Linux alone")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 25_000)) + far
    z = X[:, :5].sum(1) + rng.normal(size=400)
    y = z - z.mean() if loss.quadratic else (z > np.median(z)).astype(float)
    risk, init = jr.risk(jr.linear, loss), jr.linear_params((X, y))

    def fit():
        return jr.path(risk, penalty, (X, y), init=init, num=5, ratio=0.5).gap.max()

    assert fit() <= 1e-6  # compiling takes memory of its own
    before = megabytes("VmRSS")
    RESET.write_text("5")
    assert fit() <= 1e-6
    assert megabytes("VmHWM") - before < 0.3 * X.nbytes / 2**20
