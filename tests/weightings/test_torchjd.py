"""The weightings that TorchJD has too, on its kinds of matrices; skipped where it, or a solver it calls, is absent."""

import jax
import numpy as np
import pytest

import jaxreg as jr

torch = pytest.importorskip("torch")
peers = pytest.importorskip("torchjd.aggregation")
pytestmark = [pytest.mark.usefixtures("x64"), pytest.mark.filterwarnings("ignore")]
W, T = jr.weightings, 4
REG_EPS = 1e-4


def matrices() -> list[np.ndarray]:
    """Full rank of two sizes, rank 2, conflicting, Pareto stationary, and gradients of very different lengths."""
    rng = np.random.default_rng(0)
    plain, rest = rng.normal(size=(T, 6)), rng.normal(size=(T - 1, 6))
    return [
        plain,
        1e3 * rng.normal(size=(T, 6)),
        rng.normal(size=(T, 2)) @ rng.normal(size=(2, 6)),
        rng.normal(size=(T, 6)) - 1.5 * np.outer([1, -1, 1, -1], np.ones(6)),
        np.concatenate([rest, -rest.sum(0, keepdims=True)]),
        plain * np.array([1.0, 10.0, 0.1, 3.0])[:, None],
    ]


MATRICES = matrices()
INDEPENDENT = [MATRICES[i] for i in (0, 1, 3, 5)]


@jax.jit
def ours(weighting, gramian):
    return weighting(gramian)


def theirs(peer, gramian: np.ndarray) -> np.ndarray:
    return np.asarray(peer(torch.tensor(gramian)))


def blurred(gramian: np.ndarray) -> np.ndarray:
    """A Gramian as TorchJD's projections see it: of trace 1, with a ridge."""
    return gramian / np.trace(gramian) + REG_EPS * np.eye(T)


def same_direction(made: np.ndarray, peer: np.ndarray, J: np.ndarray, tolerance: float = 1e-4) -> None:
    size = np.abs(peer) @ np.linalg.norm(J, axis=1)
    np.testing.assert_allclose(made @ J, peer @ J, atol=tolerance * size)


@pytest.mark.parametrize("J", MATRICES)
@pytest.mark.parametrize("name", ["UPGrad", "DualProj"])
def test_projections(name: str, J):
    """To their ridge exactly; without it, to what the ridge changes."""
    pytest.importorskip("quadprog")
    peer, weighting = getattr(peers, f"{name}Weighting")(), getattr(W, name)(preference=1 / T)
    np.testing.assert_allclose(ours(weighting, blurred(J @ J.T)), theirs(peer, J @ J.T), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("J", MATRICES)
def test_mgda(J):
    """Theirs takes Frank-Wolfe steps, k of them to 2/k: squares of lengths are compared, and ours is the shorter."""
    G = J @ J.T / np.trace(J @ J.T)
    peer, made = theirs(peers.MGDAWeighting(epsilon=1e-12, max_iters=10_000), G), np.asarray(ours(W.MGDA(), G))
    assert -1e-12 < peer @ G @ peer - made @ G @ made < 1e-4


@pytest.mark.parametrize("J", INDEPENDENT)
@pytest.mark.parametrize("radius", [0.1, 0.5, 1.5])
def test_cagrad(radius: float, J):
    pytest.importorskip("cvxpy")
    same_direction(ours(W.CAGrad(radius), J @ J.T), theirs(peers.CAGradWeighting(radius), J @ J.T), J)


@pytest.mark.parametrize("J", INDEPENDENT)
def test_even_and_aligned(J):
    same_direction(ours(W.IMTLG(), J @ J.T), theirs(peers.IMTLGWeighting(), J @ J.T), J)
    same_direction(ours(W.AlignedMTL(1 / T), J @ J.T), theirs(peers.AlignedMTLWeighting(), J @ J.T), J)
    size = np.linalg.norm(J, axis=1).sum()
    made = np.asarray(ours(W.ConFIG(), J @ J.T)) @ J
    np.testing.assert_allclose(made, peers.ConFIG()(torch.tensor(J)).numpy(), atol=1e-4 * size)


def test_aligned_of_low_rank():
    J = MATRICES[2]
    same_direction(ours(W.AlignedMTL(1 / T), J @ J.T), theirs(peers.AlignedMTLWeighting(), J @ J.T), J)


@pytest.mark.parametrize("J", [MATRICES[0], MATRICES[5]])
@pytest.mark.parametrize("fairness", [1.0, 2.0])
def test_fairgrad(fairness: float, J):
    same_direction(ours(W.FairGrad(fairness), J @ J.T), theirs(peers.FairGradWeighting(fairness), J @ J.T), J)


def test_pcgrad_and_gradvac_of_two_tasks():
    """With two tasks no order is drawn."""
    J = MATRICES[3][:2]
    np.testing.assert_allclose(ours(W.PCGrad(), J @ J.T), theirs(peers.PCGradWeighting(), J @ J.T), rtol=1e-9)
    weighting, peer = W.GradVac(0.5), peers.GradVacWeighting(0.5)
    state = weighting.init(2)
    for scale in (1.0, 2.0, 0.5):
        G = (J + scale) @ (J + scale).T
        made, state = weighting.update(G, state)
        np.testing.assert_allclose(made, theirs(peer, G), rtol=1e-6)


def test_sdmgrad_by_many_of_their_steps():
    J = MATRICES[0]
    peer = peers.SDMGradWeighting(lr=0.2, momentum=0.0, n_iter=5000, lambda_=0.3)
    same_direction(ours(W.SDMGrad(0.3), J @ J.T), theirs(peer, J @ J.T), J)


def test_trimmed_mean_and_krum():
    J = np.random.default_rng(1).normal(size=(6, 5))
    made = W.TrimmedMean(2).combine([J], ())[0][0]
    np.testing.assert_allclose(made, peers.TrimmedMean(2)(torch.tensor(J)).numpy(), rtol=1e-12)
    J[2] += 50.0  # one neighbour decides, so that distances and their squares rank alike
    np.testing.assert_allclose(W.Krum(3)(J @ J.T), theirs(peers.KrumWeighting(3), J @ J.T))
