"""Networks that share between tasks, and their training, as functions on plain trees of parameters.

Not imported by `import jaxreg`, because Flax takes a second: write `from jaxreg import nn`.
"""

from jaxreg.nn._module import Chain, Module, Network, Stack
from jaxreg.nn.layers import channels, conv, conv_trunk, dense, mlp
from jaxreg.nn.linen import from_linen
from jaxreg.nn.nnx import from_nnx
from jaxreg.nn.sharing import (
    CGC,
    MTAN,
    PLE,
    CrossStitch,
    DSelectK,
    HardSharing,
    Independent,
    LearnedBranching,
    MMoE,
    SoftSharing,
)
from jaxreg.nn.training import (
    Examples,
    Fit,
    Split,
    Step,
    TrainState,
    accuracy,
    delta_m,
    evaluate,
    examples,
    fit,
    mean_sd,
    split,
    task_losses,
    train_step,
)

__all__ = [
    "CGC",
    "MTAN",
    "PLE",
    "Chain",
    "CrossStitch",
    "DSelectK",
    "Examples",
    "Fit",
    "HardSharing",
    "Independent",
    "LearnedBranching",
    "MMoE",
    "Module",
    "Network",
    "SoftSharing",
    "Split",
    "Stack",
    "Step",
    "TrainState",
    "accuracy",
    "channels",
    "conv",
    "conv_trunk",
    "delta_m",
    "dense",
    "evaluate",
    "examples",
    "fit",
    "from_linen",
    "from_nnx",
    "mean_sd",
    "mlp",
    "split",
    "task_losses",
    "train_step",
]
