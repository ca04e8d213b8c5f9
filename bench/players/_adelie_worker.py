"""Runs under the Python that has adelie and imports nothing of ours: lines of JSON in, lines of JSON out."""

import json
import sys
import time

import adelie as ad
import numpy as np

TIGHT = 1e-15


def fit(X, y, strengths, tol, loss, threads):
    """Coefficients (L, p) and intercepts (L,); tall least squares on the Gram matrix."""
    n, p = X.shape
    options = {"lmda_path": strengths, "tol": tol, "early_exit": False, "n_threads": threads}
    options |= {"progress_bar": False, "max_iters": 10**7}
    if loss == "squared" and n > p:
        x_mean, y_mean = X.mean(0), y.mean()
        X = X - x_mean
        found = ad.solver.gaussian_cov(
            np.asfortranarray(X.T @ X / n), (y - y_mean) @ X / n, rdev_tol=0, **options
        ).betas
        coef = np.asarray(found.todense())
        return coef, y_mean - coef @ x_mean
    family = {"squared": ad.glm.gaussian, "logistic": ad.glm.binomial, "poisson": ad.glm.poisson}[loss]
    if loss != "squared":
        options["irls_tol"] = max(tol, TIGHT)
    state = ad.grpnet(X=X, glm=family(y=y), intercept=True, adev_tol=1, ddev_tol=0, **options)
    return np.asarray(state.betas.todense()), np.asarray(state.intercepts)


def play(problem, tol):
    """Seconds, and what every sample's path came to."""
    masks = problem["masks"]
    start = time.perf_counter()
    fits = []
    for rows in ~masks if len(masks) else [slice(None)]:
        X = np.asfortranarray(problem["X"][rows])
        fits.append(fit(X, problem["y"][rows], problem["strengths"], tol, problem["loss"], problem["threads"]))
    seconds = time.perf_counter() - start
    coef, intercept = (np.stack(parts) for parts in zip(*fits, strict=True))
    return seconds, coef, intercept


def main():
    problem = {}
    for line in sys.stdin:
        question = json.loads(line)
        if "load" in question:
            with np.load(question["load"], allow_pickle=False) as arrays:
                problem = {name: arrays[name] for name in arrays}
            problem["X"] = np.asfortranarray(problem["X"])
            problem["loss"], problem["threads"] = str(problem["loss"]), question["threads"]
            answer = {}
        else:
            seconds, coef, intercept = play(problem, question["tol"])
            np.savez(question["save"], coef=coef, intercept=intercept)
            answer = {"seconds": seconds}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["--version"]:
        print(ad.__version__)
    else:
        main()
