"""What every test stands on: the compilation cache, strict broadcasting, both precisions and the shared data.

The environment is set before JAX is imported, so that it also reaches the processes that tests start.
"""

import ctypes
import gc
import itertools
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = itertools.count()


def private_directory(path: Path) -> Path:
    """The directory `path`, made if absent; a fresh one if others could write, and so run code, there."""
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return path if mine else Path(tempfile.mkdtemp(prefix=f"{path.name}-"))


if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    cache = private_directory(Path(tempfile.gettempdir()) / f"jaxreg-tests-{os.getuid()}")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
# Most of the time goes into compiling small programs: half of it is saved by optimising them little. The flags are
# XLA's own, which ends the process where it does not know one.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if version("jaxlib").startswith("0.10."):
    cheap = (
        "cpu_use_fusion_emitters=false",
        "cpu_parallel_codegen_split_count=1",
        "llvm_disable_expensive_passes=true",
    )
    os.environ.setdefault("XLA_FLAGS", " ".join(f"--xla_{flag}" for flag in cheap))
os.environ.setdefault("MPLBACKEND", "Agg")
# OpenBLAS threads spin while the other test process has the core: 10 times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Processes that tests start, wherever they run, import this checkout as the tests do.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))

import hypothesis  # noqa: E402
import jax  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")

hypothesis.settings.register_profile(
    "jaxreg",
    deadline=None,  # the first example compiles
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("jaxreg")


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> Iterator[np.dtype]:
    """Each of the two precisions, JAX's 64-bit mode switched to match."""
    with jax.enable_x64(request.param == "float64"):
        yield np.dtype(request.param)


@pytest.fixture
def x64() -> Iterator[None]:
    """JAX's 64-bit mode on for one test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(autouse=True)
def bounded_memory() -> Iterator[None]:
    """Compiled programs are dropped past 20 000 memory maps: Linux ends a process that asks for more than 65 530."""
    yield
    maps = Path("/proc/self/maps")
    if next(TESTS) % 8 == 0 and maps.is_file() and maps.read_bytes().count(b"\n") > 20_000:
        jax.clear_caches()
        gc.collect()
        getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)(0)  # glibc keeps what was freed otherwise


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], dict[str, np.ndarray]]:
    """`shared_data(name)`: the arrays of `name`.npz in JAXREG_DATA or ../shared/data; skips if absent."""
    folder = Path(os.environ.get("JAXREG_DATA") or ROOT.parent / "shared" / "data")

    def load(name: str) -> dict[str, np.ndarray]:
        path = folder / f"{name.removesuffix('.npz')}.npz"
        if not path.is_file():
            pytest.skip(f"{path} is absent")
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)

    return load
