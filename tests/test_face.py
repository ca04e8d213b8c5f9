"""The layout: floors, who may import what, the public names, and what `import jaxreg` costs."""

import ast
import inspect
import json
import os
import re
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

import jaxreg

PACKAGE = Path(jaxreg.__file__).parent
PRIVATE = ("_cache", "_files", "_linalg", "_pytree", "_tree", "_typing", "_validate", "_version")
ZOO = ("jaxreg.losses", "jaxreg.penalties", "jaxreg.weightings")
FACE = 5
FLOORS = {
    **{f"jaxreg.{name}": 0 for name in PRIVATE},
    **dict.fromkeys(ZOO, 1),
    **{f"jaxreg.{name}": 2 for name in ("risk", "metrics", "moments", "transforms", "stochastic")},
    "jaxreg.solvers": 3,
    **{
        f"jaxreg.{name}": 4
        for name in (
            "_clusters",
            "_fit_tasks",
            "_fitted_file",
            "fitted",
            "multitask_models",
            "paths",
            "selection",
            "sweeps",
            "tasks",
        )
    },
    **{f"jaxreg.{name}": 5 for name in ("nn", "estimators", "datasets", "plots", "report", "cli", "__main__")},
}
EXTRAS = ("matplotlib", "mlxtend", "orbax", "pandas", "psutil", "pyarrow", "rich", "sklearn", "xarray")
KNOWN_TO_SOLVERS = (
    "jaxreg.losses.Loss",
    "jaxreg.penalties.Leafwise",
    "jaxreg.penalties.Penalty",
    "jaxreg.penalties._base",
    "jaxreg.penalties._leaf",
)
LAZY = ("flax", "flax.nnx", "matplotlib", "orbax", "pandas", "rich", "sklearn", "xarray")
IMPORT_BUDGET = 0.5


def within(name: str, parent: str) -> bool:
    return name == parent or name.startswith(f"{parent}.")


def floor(name: str) -> int | None:
    """The floor of a module or of a name in it; the face itself stands on the top one."""
    if name == "jaxreg":
        return FACE
    return next((level for parent, level in FLOORS.items() if within(name, parent)), None)


def zoo(name: str) -> str | None:
    return next((family for family in ZOO if within(name, family)), None)


def targets(node: ast.Import | ast.ImportFrom, module: str, package: bool) -> list[str]:
    """The absolute dotted names that an import statement of `module` asks for."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    parts = module.split(".")
    start = parts[: len(parts) - node.level + package] if node.level else []
    base = ".".join([*start, *([node.module] if node.module else [])])
    return [f"{base}.{alias.name}" for alias in node.names]


def fault_inside(module: str, target: str, level: int) -> str | None:
    """Why `module`, on floor `level`, may not import `target` of this package, if so."""
    below = floor(target)
    if (FACE if below is None else below) > level:
        return "imports upward"
    if zoo(module) and zoo(target) and zoo(module) != zoo(target):
        return "crosses the zoo"
    known = any(within(target, name) for name in KNOWN_TO_SOLVERS)
    if within(module, "jaxreg.solvers") and zoo(target) and not known:
        return "knows a member of the zoo"
    return None


def fault_outside(module: str, target: str, level: int) -> str | None:
    """Why `module`, on floor `level`, may not import the third-party `target`, if so."""
    root = target.split(".")[0]
    if root == "optax" and not any(within(module, name) for name in ("jaxreg.transforms", "jaxreg.solvers.optax")):
        return "optax belongs in transforms/ and solvers/optax.py"
    if root == "flax" and not within(module, "jaxreg.nn"):
        return "flax belongs in nn/"
    if root in EXTRAS and (level < 5 or module == "jaxreg"):
        return "extras belong on floor 5"
    return None


def imports(tree: ast.AST, inside: bool = False) -> list[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Every import statement, and whether it stands in a function."""
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append((node, inside))
        found += imports(node, inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return found


def violations(source: str, module: str, package: bool = False) -> list[str]:
    """What the imports in `source`, the text of `module`, break."""
    level = floor(module)
    if level is None:
        return [f"{module}: has no floor; give it one in tests/test_face.py"]
    found = []
    for node, inside in imports(ast.parse(source)):
        for target in targets(node, module, package):
            ours, extra = within(target, "jaxreg"), target.split(".")[0] in EXTRAS
            faults = [(fault_inside if ours else fault_outside)(module, target, level)]
            if inside and not (extra and level == 5):
                faults.append("imports inside a function")
            found += [f"{module}:{node.lineno}: {target}: {fault}" for fault in faults if fault]
    return found


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=dotted)
def test_imports_go_downward_only(path: Path) -> None:
    assert not violations(path.read_text(encoding="utf-8"), dotted(path), path.name == "__init__.py")


PLANTED = [
    ("jaxreg._tree", "from jaxreg.losses import Squared", "imports upward"),
    ("jaxreg.penalties._base", "import jaxreg as jr", "imports upward"),
    ("jaxreg.penalties._base", "from jaxreg import L1", "imports upward"),
    ("jaxreg.penalties._base", "from ..solvers import minimize", "imports upward"),
    ("jaxreg.risk", "from jaxreg.solvers._base import minimize", "imports upward"),
    ("jaxreg.solvers.fista", "from jaxreg.paths import path", "imports upward"),
    ("jaxreg.solvers.fista", "if True:\n    from jaxreg.paths import path", "imports upward"),
    ("jaxreg.paths.grid", "from jaxreg.datasets import load_hsb", "imports upward"),
    ("jaxreg.penalties.l1", "from jaxreg.losses import Squared", "crosses the zoo"),
    ("jaxreg.losses", "from jaxreg import penalties", "crosses the zoo"),
    ("jaxreg.solvers.fista", "from jaxreg.penalties import L1", "knows a member of the zoo"),
    ("jaxreg.solvers.fista", "from ..losses import Squared", "knows a member of the zoo"),
    ("jaxreg.solvers.fista", "import jaxreg.penalties", "knows a member of the zoo"),
    ("jaxreg.solvers.fista", "import optax", "optax belongs"),
    ("jaxreg.moments", "from optax import tree", "optax belongs"),
    ("jaxreg.transforms.proximal", "from flax import nnx", "flax belongs"),
    ("jaxreg.estimators.lasso", "import flax.linen", "flax belongs"),
    ("jaxreg.paths.path", "import pandas as pd", "extras belong"),
    ("jaxreg", "import rich", "extras belong"),
    ("jaxreg.selection.folds", "def f():\n    from sklearn import model_selection", "inside a function"),
    ("jaxreg.plots", "def f():\n    import jax", "inside a function"),
    (
        "jaxreg.plots",
        "class A:\n    def f(self):\n        if self:\n            import json",
        "inside a function",
    ),
    ("jaxreg.plots", "async def f():\n    from jaxreg import report", "inside a function"),
    ("jaxreg.newcomer", "", "has no floor"),
]


@pytest.mark.parametrize(("module", "source", "fault"), PLANTED)
def test_planted_faults_are_caught(module: str, source: str, fault: str) -> None:
    assert any(fault in found for found in violations(source, module))


ALLOWED = [
    ("jaxreg", "from jaxreg.penalties import L1\nfrom jaxreg.datasets import load_hsb"),
    ("jaxreg._tree", "import jax\nfrom jaxreg import _typing"),
    ("jaxreg.penalties.l1", "from . import _base\nfrom jaxreg.penalties._rules import absorb"),
    ("jaxreg.solvers.fista", "from jaxreg.losses import Loss\nfrom jaxreg.penalties._base import Penalty"),
    ("jaxreg.solvers.optax", "import optax\nfrom jaxreg.solvers._base import Solution"),
    ("jaxreg.transforms", "from .proximal import proximal\nimport optax"),
    ("jaxreg.nn.trunk", "from flax import nnx"),
    ("jaxreg.plots", "import jaxreg as jr\ndef f():\n    import matplotlib.pyplot as plt"),
    ("jaxreg.cli.table", "from jaxreg import L1, path"),
]


@pytest.mark.parametrize(("module", "source"), ALLOWED)
def test_what_the_layout_allows_passes(module: str, source: str) -> None:
    assert violations(source, module, package=module in ("jaxreg", "jaxreg.transforms")) == []


def test_all_is_a_literal_list_of_strings_without_repeats() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    assigned = [n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"]
    assert len(assigned) == 1 and isinstance(assigned[0], ast.List)
    names = ast.literal_eval(assigned[0])
    assert names == jaxreg.__all__ and all(isinstance(name, str) for name in names)
    assert len(set(names)) == len(names)


def documented(name: str, thing: object) -> bool:
    """Whether a public thing says itself what it is: neither inherited nor a dataclass's signature."""
    if name == "__version__":
        return isinstance(thing, str)
    text = inspect.cleandoc(getattr(thing, "__doc__", None) or "")
    return bool(text) and not text.startswith(f"{name}(")


@pytest.mark.parametrize("name", jaxreg.__all__)
def test_every_public_name_exists_and_is_documented(name: str) -> None:
    assert documented(name, getattr(jaxreg, name))


FORMS = {"Penalty", "Leafwise", "Loss", "Optax"}
"""Public classes that state no formula of their own."""


def lacking(thing: type) -> list[str]:
    """What the docstring of a penalty, a loss or a solver does not have: the year of a source, an example."""
    text = thing.__doc__ or ""
    return ["source"] * (not re.search(r"\b(1[5-9]|20)\d\d\b", text)) + ["example"] * (">>>" not in text)


def test_penalties_losses_and_solvers_cite_a_source_and_show_an_example() -> None:
    public = {name: getattr(jaxreg, name) for name in jaxreg.__all__ if name not in FORMS}
    classes = {name: thing for name, thing in public.items() if isinstance(thing, type)}
    judged = {
        name: lacking(thing)
        for name, thing in classes.items()
        if issubclass(thing, (jaxreg.Penalty, jaxreg.Loss)) or {"init", "update"} <= set(vars(thing))
    }
    assert len(judged) > 80 and {name: gaps for name, gaps in judged.items() if gaps} == {}


def test_a_name_without_a_docstring_is_caught() -> None:
    class Child(list):
        pass

    def bare() -> None:
        pass

    Child.__doc__ = "Child(x: float = 1.0)"
    assert not documented("Child", Child) and not documented("bare", bare)


PROBE = """
import json, sys, time
import jax, optax
start = time.process_time()
import jaxreg
print(json.dumps([time.process_time() - start, sorted(sys.modules)]))
"""


def probe(bytecode: Path | None = None) -> tuple[float, list[str]]:
    """Processor seconds that `import jaxreg` adds to jax and optax, and the modules then loaded."""
    kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(bytecode)} if bytecode else {}
    command = [sys.executable, "-c", PROBE]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **kept})
    seconds, modules = json.loads(done.stdout)
    return seconds, modules


def test_import_is_light(tmp_path: Path) -> None:
    seconds, modules = probe()
    assert not set(LAZY) & set(modules)
    # Processor time, and the best of a few: other work on the machine is not the library's. Nor is reading the
    # sources, which an installed package is spared: the second probe leaves bytecode for those after it.
    again = (probe(tmp_path)[0] for _ in range(3))
    assert any(spent <= IMPORT_BUDGET for spent in chain([seconds], again))
