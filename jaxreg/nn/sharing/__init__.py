"""Ways to share a network between tasks, each generic over the user's trunk and heads.

What more than one task's loss can reach lies under `trunk` in the parameters, what belongs to one task elsewhere;
`Independent` and `SoftSharing` alone have a copy of the trunk for every task there, of which each task reaches its own.
"""

from jaxreg.nn.sharing._heads import task_names
from jaxreg.nn.sharing.branching import LearnedBranching
from jaxreg.nn.sharing.cgc import CGC, PLE
from jaxreg.nn.sharing.cross_stitch import CrossStitch
from jaxreg.nn.sharing.dselect_k import DSelectK
from jaxreg.nn.sharing.hard import HardSharing
from jaxreg.nn.sharing.mmoe import MMoE
from jaxreg.nn.sharing.mtan import MTAN
from jaxreg.nn.sharing.soft import Independent, SoftSharing

__all__ = [
    "CGC",
    "MTAN",
    "PLE",
    "CrossStitch",
    "DSelectK",
    "HardSharing",
    "Independent",
    "LearnedBranching",
    "MMoE",
    "SoftSharing",
    "task_names",
]
