"""Command lines of a page: run where that takes a moment, otherwise checked against the programs.

What is run: `wsdhq` with its commands on files, in this process, on the small files of
`page_files`, as they stand but for `_FASTER`. What is parsed only, and why:

- `wsdhq demo`, `bench` and `reproduce` take minutes to hours; the parser of the command line itself
  says whether options and values are good;
- `pip install` changes the environment: that the extras exist is checked;
- scripts of `benchmarks` train many times: that they exist and have the options is checked;
- `pytest`, `mkdocs`, `cmake` and the like: that they are the ones listed in `_OTHERS`.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_RUN = ("tags", "train", "embed", "encode", "index", "search", "evaluate")
_PARSED = ("demo", "bench", "reproduce")
_THREADED = ("train", "embed", "encode", "search", "evaluate")
# One epoch shows that a command works; a run that another block of the page left is replaced.
_FASTER = {"train": ("--epochs", "1", "--hidden-dim", "16", "--image-size", "16")}
_OTHERS = ("pytest", "mkdocs", "cat", "cd", ".", "bash", "cmake", "build/bench/benchmarks/cpp/"
           "wsdhq_benchmarks")  # fmt: skip


class CommandError(AssertionError):
    """A command line of a page that does not work."""


def command_lines(code: str) -> list[str]:
    """The commands of a block: continued lines joined, comments and blank lines left out.

    What is in a loop stands once, with a number for its variables.
    """
    joined = re.sub(r"\$\w+", "8", code.replace("\\\n", " "))
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("for ", "done"))]
    return [part.strip() for line in lines for part in line.split("&&")]


def check_command(line: str, *, run: bool) -> None:
    """Run or check one command; CommandError says what is wrong with it."""
    words = shlex.split(line)
    variables = {}
    while re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    program, *arguments = words
    if program == "wsdhq":
        _check_wsdhq(arguments, run=run)
    elif program == "pip":
        _check_pip(arguments)
    elif program == "python" and arguments[0] == "-c":
        if run:
            _run_python(arguments, variables)
    elif program == "python":
        _check_script(arguments)
    elif program not in _OTHERS:
        raise CommandError(f"{line}: {program} is no program that a test knows")


def _check_wsdhq(arguments: list[str], *, run: bool) -> None:
    from wsdhq.cli.commands import COMMANDS

    name = next((word for word in arguments if not word.startswith("-")), "")
    if name == "COMMAND" and name not in COMMANDS:
        return  # wsdhq COMMAND --help
    if name not in _RUN + _PARSED:
        raise CommandError(f"wsdhq has no command {name!r}")
    _parse(name, arguments)
    if run and name in _RUN:
        _run(name, arguments)


def _parse(name: str, arguments: list[str]) -> None:
    import typer

    from wsdhq.cli.app import app

    group = typer.main.get_command(app)
    given = arguments[arguments.index(name) + 1 :]
    command = group.get_command(group.context_class(group, info_name="wsdhq"), name)
    try:
        command.make_context(name, list(given))
    except Exception as error:
        message = getattr(error, "format_message", error.__str__)()
        raise CommandError(f"wsdhq {shlex.join(arguments)}: {message}") from error


def _run(name: str, arguments: list[str]) -> None:
    """Run a command in this process, as if it had been typed."""
    from wsdhq.cli.app import run

    words = [*arguments, *_FASTER.get(name, ())]
    if name in _THREADED and "--threads" not in words:
        words += ["--threads", "1"]
    if name == "train" and "--resume" not in words:
        words.append("--overwrite")
    out, err = io.StringIO(), io.StringIO()
    with _as_typed(words), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run()
    if status != 0:
        raise CommandError(f"wsdhq {shlex.join(arguments)}: status {status}\n{err.getvalue()}")


@contextlib.contextmanager
def _as_typed(words: list[str]) -> Iterator[None]:
    """`sys.argv` and the log as a command of its own would have them, for a while."""
    logger = logging.getLogger("wsdhq")
    handlers, level, given = logger.handlers[:], logger.level, sys.argv
    sys.argv = ["wsdhq", *words]
    try:
        yield
    finally:
        sys.argv, logger.handlers = given, handlers
        logger.setLevel(level)
        logging.getLogger("wsdhq.quant").setLevel(logging.NOTSET)


def _check_pip(arguments: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    for wanted in re.findall(r"(?:\.|wsdhq)\[([\w,-]+)\]", " ".join(arguments)):
        for extra in wanted.split(","):
            if extra not in extras:
                raise CommandError(f"pip {shlex.join(arguments)}: there is no extra {extra!r}")


def _check_script(arguments: list[str]) -> None:
    if arguments[:2] == ["-m", "http.server"] or arguments[:2] == ["-m", "venv"]:
        return
    script = ROOT / arguments[0]
    if not script.is_file():
        raise CommandError(f"python {shlex.join(arguments)}: there is no {arguments[0]}")
    sources = "".join(
        file.read_text("utf-8") for file in (script, *script.parent.glob("measuring.py"))
    )
    for option in (word for word in arguments if word.startswith("--")):
        if f'"{option}"' not in sources:
            raise CommandError(f"python {shlex.join(arguments)}: {script.name} has no {option}")


def _run_python(arguments: list[str], variables: dict[str, str]) -> None:
    import os

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=60
    )
    if done.returncode != 0:
        raise CommandError(f"python {shlex.join(arguments)}:\n{done.stderr}")
