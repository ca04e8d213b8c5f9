"""The weightings that TorchJD has too, on random and badly placed Gramians; skipped where it is not installed."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr

torch = pytest.importorskip("torch")
pytest.importorskip("quadprog")
peers = pytest.importorskip("torchjd.aggregation")
pytestmark = [pytest.mark.usefixtures("x64"), pytest.mark.filterwarnings("ignore")]

PAIRS = {
    "MGDA": (jr.weightings.MGDA(), lambda: peers.MGDAWeighting(epsilon=1e-9, max_iters=20_000), 2e-3),
    "UPGrad": (jr.weightings.UPGrad(preference=1 / 3), peers.UPGradWeighting, 1e-3),
    "DualProj": (jr.weightings.DualProj(preference=1 / 3), peers.DualProjWeighting, 1e-3),
    "IMTLG": (jr.weightings.IMTLG(), peers.IMTLGWeighting, 1e-4),
    "AlignedMTL": (jr.weightings.AlignedMTL(preference=1 / 3), peers.AlignedMTLWeighting, 1e-4),
    "Krum": (jr.weightings.Krum(outliers=0), lambda: peers.KrumWeighting(n_byzantine=0), 1e-9),
}


@pytest.mark.parametrize("name", PAIRS)
def test_the_same_direction(name: str):
    ours, make, tol = PAIRS[name]
    for seed in range(8):
        J = np.random.default_rng(seed).normal(size=(3, 6))
        G = J @ J.T
        theirs = make()(torch.tensor(G)).numpy() @ J
        found = np.asarray(ours(jnp.asarray(G))) @ J
        np.testing.assert_allclose(found, theirs, atol=tol * np.linalg.norm(theirs), err_msg=f"seed {seed}")
