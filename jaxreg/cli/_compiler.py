"""Compiling is most of what a comparison costs: the generator of code that takes less of it, where there are two."""

from __future__ import annotations

import os
from importlib.metadata import version

_FLAG = "xla_cpu_use_fusion_emitters"


def compile_sooner() -> None:
    """With jaxlib 0.10 ask XLA for its older code on CPUs, a third less to compile; before JAX's first computation.

    Other versions end the process for a flag that they do not know, and XLA_FLAGS that name it are left alone.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if version("jaxlib").startswith("0.10.") and _FLAG not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --{_FLAG}=false".strip()
