"""A script in a process of its own that has so many CPU devices."""

import os
import subprocess
import sys
from pathlib import Path


def run_on_devices(script: str, count: int) -> None:
    """Run it, `{tests!r}` in it being this folder; fails with what it wrote on stderr."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={count}"
    ended = subprocess.run(
        [sys.executable, "-c", script.format(tests=str(Path(__file__).parent))],
        env={**os.environ, "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
