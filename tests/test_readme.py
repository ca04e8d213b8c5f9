"""README is run: its first commands, and every Python block from top to bottom as one program."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import jax
import pytest

README = Path(__file__).resolve().parent.parent / "README.md"
FENCE = re.compile(r"^(?P<tick>`{3,}|~{3,})[ \t]*(?P<kind>\S*)[^\n]*\n(?P<body>.*?)^(?P=tick)[ \t]*$", re.M | re.S)
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.S)


class Fence(NamedTuple):
    """A fenced block: its language, its text, and the line and section it stands in."""

    kind: str
    body: str
    line: int
    section: str


def fences(text: str) -> list[Fence]:
    """The fenced blocks of a Markdown text, in order."""
    found, section, end = [], "", 0
    for match in FENCE.finditer(text):
        section = ([section, *re.findall(r"^## +(.+?)\s*$", text[end : match.start()], re.M)])[-1]
        found.append(Fence(match["kind"], match["body"], text.count("\n", 0, match.start("body")), section))
        end = match.end()
    return found


def quick_start(text: str) -> tuple[str, str]:
    """The two shell blocks that README opens with."""
    blocks = fences(text)
    shell = [block for block in blocks if block.section == "Quick start" and block.kind == "sh"]
    assert len(shell) == 2, f"Quick start has {len(shell)} sh blocks, expected 2"
    assert blocks[:2] == shell, "another fenced block comes before the two of Quick start"
    return shell[0].body, shell[1].body


def commands(script: str) -> list[list[str]]:
    """The simple commands of a shell script, as words."""
    found = []
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set(";&|"):
                found += [words] if words else []
                words = []
            else:
                words.append(word)
    return found


def python_module(command: list[str]) -> tuple[dict[str, str], list[str]] | None:
    """Of `[NAME=value ...] python -m MODULE ...` the settings and what follows -m; else None."""
    settings: dict[str, str] = {}
    while command and ASSIGNMENT.fullmatch(command[0]):
        name, _, value = command[0].partition("=")
        settings[name], command = value, command[1:]
    if len(command) > 2 and re.fullmatch(r"(.*/)?python[\d.]*", command[0]) and command[1] == "-m":
        return settings, command[2:]
    return None


def main_jobs(script: str) -> list[tuple[dict[str, str], list[str]]]:
    """The `python -m jaxreg` commands of a script."""
    jobs = [python_module(command) for command in commands(script)]
    return [job for job in jobs if job and job[1][0] == "jaxreg"]


def runs_pytest(command: list[str]) -> bool:
    job = python_module(command)
    return job[1][0] == "pytest" if job else Path(command[0]).name == "pytest"


@pytest.fixture(scope="module")
def readme() -> str:
    assert README.is_file(), "README.md is missing"
    return README.read_text(encoding="utf-8")


def test_quick_start_opens_with_two_shell_blocks_the_second_of_which_tests(readme: str) -> None:
    first, second = quick_start(readme)
    assert main_jobs(first)
    assert runs_pytest(commands(second)[-1])


@pytest.mark.slow
def test_first_commands_of_the_readme_run(readme: str, tmp_path: Path) -> None:
    for settings, words in main_jobs(quick_start(readme)[0]):
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=tmp_path,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"python -m {shlex.join(words)}\n{done.stdout}\n{done.stderr}"


@pytest.mark.slow
def test_python_blocks_of_the_readme_run(readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = [block for block in fences(readme) if block.kind == "python"]
    assert blocks, "README.md shows no Python"
    namespace = {"__name__": "readme"}
    with jax.enable_x64(False), jax.numpy_rank_promotion("allow"):
        for block in blocks:
            padded = "\n" * block.line + block.body
            exec(compile(padded, str(README), "exec", dont_inherit=True), namespace)


SETUP = "## Quick start\n\n```sh\npython3 -m venv .venv && . .venv/bin/activate\npython -m jaxreg\n```\n"
TESTS = "\n```sh\npip install -e '.[test]'; python -m pytest -n 2\n```\n"


def test_a_good_quick_start_is_read() -> None:
    first, second = quick_start("# jaxreg\n\n" + SETUP + TESTS + "```python\nx = 1\n```\n## More\n```sh\nls\n```\n")
    assert main_jobs(first) == [({}, ["jaxreg"])]
    assert runs_pytest(commands(second)[-1])


@pytest.mark.parametrize(
    "text",
    [
        SETUP,
        SETUP + TESTS + TESTS,
        SETUP + "## Tests\n" + TESTS,
        "```python\nx = 1\n```\n" + SETUP + TESTS,
        SETUP + "```text\nout\n```\n" + TESTS,
        (SETUP + TESTS).replace("```sh", "```bash"),
    ],
)
def test_a_bad_quick_start_is_caught(text: str) -> None:
    with pytest.raises(AssertionError):
        quick_start(text)


def test_commands_are_split_as_a_shell_would() -> None:
    script = "# set up\nA=1 .venv/bin/python -m jaxreg tecator \\\n  --out 'a b' && ls; pip install x  # done\n"
    job = ["A=1", ".venv/bin/python", "-m", "jaxreg", "tecator", "--out", "a b"]
    assert commands(script) == [job, ["ls"], ["pip", "install", "x"]]
    assert main_jobs(script) == [({"A": "1"}, ["jaxreg", "tecator", "--out", "a b"])]
    assert not runs_pytest(["pip", "install", "pytest"])


def test_blocks_know_their_line_and_section() -> None:
    text = "# T\n## One\n```python\na = 1\n```\n## Two\ntext\n```sh\nls\n```\n"
    assert fences(text) == [Fence("python", "a = 1\n", 3, "One"), Fence("sh", "ls\n", 8, "Two")]
