"""Training several tasks as functions: losses per task, a step, a loop over seeds and epochs, comparisons."""

from jaxreg.metrics import delta_m
from jaxreg.metrics import mean_and_sd as mean_sd
from jaxreg.nn.training.data import Examples, Split, examples, split
from jaxreg.nn.training.fit import Fit, fit
from jaxreg.nn.training.objective import accuracy, evaluate, task_losses
from jaxreg.nn.training.step import Step, TrainState, train_step

__all__ = [
    "Examples",
    "Fit",
    "Split",
    "Step",
    "TrainState",
    "accuracy",
    "delta_m",
    "evaluate",
    "examples",
    "fit",
    "mean_sd",
    "split",
    "task_losses",
    "train_step",
]
