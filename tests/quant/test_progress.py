"""Progress bars and log lines: shown to whoever watches, and to nobody else."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading
import types

import numpy as np
import pytest

from wsdhq import _core
from wsdhq._shared import progress as progress
from wsdhq.quant import AdditiveQuantizer, CodeStatistics, icm_encode
from wsdhq.quant import report as report_module

X = np.random.default_rng(0).standard_normal((600, 8)).astype(np.float32)
SETTINGS = {"num_codebooks": 3, "codebook_size": 16, "iterations": 4, "threads": 1}
FITTED = AdditiveQuantizer(**SETTINGS).fit(X)
CODES = FITTED.encode(X)


class Terminal(io.StringIO):
    """What is drawn on a terminal."""

    def isatty(self) -> bool:
        return True


class Broken(Terminal):
    """A terminal that nobody reads any more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError("nobody reads")


def give(monkeypatch: pytest.MonkeyPatch, stream: object, stand_in: object = None) -> None:
    """Give the module a standard error; pytest puts its own into `sys` before every phase."""
    seen = types.SimpleNamespace(
        stderr=stream if stand_in is None else stand_in, __stderr__=stream, modules=sys.modules
    )
    monkeypatch.setattr(progress, "sys", seen)
    monkeypatch.setattr(report_module, "sys", seen)
    monkeypatch.setenv("TERM", "xterm")


class Clock:
    """The module's clock, which the machine does not move: it moves by a step at every look."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.step = 0.0

    def monotonic(self) -> float:
        self.now += self.step
        return self.now

    time = monotonic
    perf_counter = monotonic


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands: all work is short."""
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    stream = Terminal()
    give(monkeypatch, stream)
    return stream


@pytest.fixture
def impatient(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """All work counts as long, and every look at it is drawn."""
    monkeypatch.setattr(progress, "SHOWN_AFTER", 0.0)
    clock.step = 1.0


@pytest.fixture
def no_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that never heard of logging; pytest has handlers of its own."""
    monkeypatch.setattr(report_module.logger, "propagate", False)


def test_short_work_shows_nothing_on_a_terminal(terminal: Terminal) -> None:
    AdditiveQuantizer(**SETTINGS).fit(X).encode(X)
    assert terminal.getvalue() == ""


@pytest.mark.usefixtures("impatient")
def test_long_work_shows_a_bar_on_a_terminal_and_takes_it_away(terminal: Terminal) -> None:
    FITTED.encode(X)
    shown = terminal.getvalue()
    assert "encode: 100%" in shown
    assert "600/600" in shown
    # The last look of the line is blank.
    assert shown.rstrip("\r").rsplit("\r", 1)[-1].strip() == ""


@pytest.mark.usefixtures("impatient")
def test_each_long_work_is_named(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "REDRAWN_AFTER", 0.0)
    AdditiveQuantizer(**SETTINGS).fit(X)
    shown = terminal.getvalue()
    for stage in ("fit: start", "fit: first codes", "fit: "):
        assert f"\r{stage}" in shown
    assert "distortion=" in shown
    assert "4.0/4" in shown
    for title, work in {
        "distortion": lambda: FITTED.distortion(X, CODES),
        "encode": lambda: icm_encode(X, FITTED.codebooks, threads=1),
        "statistics": lambda: CodeStatistics(3, 16, 8, threads=1).update(X, CODES),
    }.items():
        terminal.seek(0)
        terminal.truncate()
        work()
        assert f"\r{title}" in terminal.getvalue()


@pytest.mark.usefixtures("impatient")
def test_files_are_named(terminal: Terminal, tmp_path: os.PathLike[str]) -> None:
    path = os.path.join(tmp_path, "q")
    FITTED.save(path)
    AdditiveQuantizer.load(path, verify=True)
    for title in ("save", "load", "verify"):
        assert f"\r{title}" in terminal.getvalue()


@pytest.mark.usefixtures("impatient")
def test_where_nobody_watches_nothing_is_shown(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A thread of a program's own, which may have a bar for all of them.
    worker = threading.Thread(target=FITTED.encode, args=(X,))
    worker.start()
    worker.join()
    # A terminal that cannot go back in a line.
    with monkeypatch.context() as patch:
        patch.setenv("TERM", "dumb")
        FITTED.encode(X)
    # Something that draws and captures stands in for standard error: rich does.
    stand_in = Terminal()
    with monkeypatch.context() as patch:
        give(patch, terminal, stand_in)
        FITTED.encode(X)
    # A file; and none, as in a program without a console.
    for stream in (io.StringIO(), None):
        with monkeypatch.context() as patch:
            give(patch, stream)
            FITTED.encode(X)
        assert stream is None or stream.getvalue() == ""
    FITTED.encode(X, verbose=False)
    assert terminal.getvalue() + stand_in.getvalue() == ""


@pytest.mark.usefixtures("impatient", "no_handlers")
def test_verbose_false_is_silent(terminal: Terminal) -> None:
    q = AdditiveQuantizer(**SETTINGS, verbose=False).fit(X)
    q.distortion(X, q.encode(X))
    CodeStatistics(3, 16, 8, verbose=False).update(X, CODES)
    assert terminal.getvalue() == ""


@pytest.mark.usefixtures("no_handlers")
def test_verbose_true_shows_a_bar_at_once_wherever_standard_error_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    give(monkeypatch, stream)
    FITTED.encode(X, verbose=True)
    assert "encode: 100%" in stream.getvalue()
    assert stream.getvalue().endswith("\n")


@pytest.mark.usefixtures("no_handlers")
def test_verbose_true_prints_what_fit_logs_where_no_handler_takes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    give(monkeypatch, stream)
    before = list(report_module.logger.handlers)
    AdditiveQuantizer(**SETTINGS, verbose=True).fit(X)
    lines = [line.rsplit("\r")[-1] for line in stream.getvalue().splitlines()]
    told = [line for line in lines if line.startswith("wsdhq: fit: ")]
    assert len(told) == 2
    assert "600 vectors of 8 dimensions, 3 codebooks of 16 codewords, 4 iterations" in told[0]
    assert "threads 1" in told[0]
    assert "SIMD level" in told[0]
    assert "distortion " in told[1]
    assert told[1].endswith(" s")
    # Nothing is left of it.
    assert report_module.logger.handlers == before
    assert report_module.logger.level == logging.NOTSET


def test_verbose_true_prints_nothing_twice(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "wsdhq.quant"):
        AdditiveQuantizer(**SETTINGS, verbose=True).fit(X)
    assert "wsdhq: fit" not in capsys.readouterr().err
    assert len(caplog.records) == 2


def test_fit_logs_its_iterations_at_debug_and_nothing_to_standard_error(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "wsdhq.quant"):
        AdditiveQuantizer(**SETTINGS).fit(X)
    levels = [record.levelname for record in caplog.records]
    assert levels == ["INFO", *["DEBUG"] * 4, "INFO"]
    assert {record.name for record in caplog.records} == {"wsdhq.quant"}
    assert caplog.records[0].filename == "fitting.py"
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("impatient")
def test_a_bar_changes_no_result(terminal: Terminal) -> None:
    np.testing.assert_array_equal(FITTED.encode(X), CODES)
    again = AdditiveQuantizer(**SETTINGS).fit(X)
    np.testing.assert_array_equal(again.codebooks, FITTED.codebooks)
    assert terminal.getvalue() != ""
    relaxed = [FITTED.encode(X, iterations=3, verbose=each) for each in (None, False)]
    np.testing.assert_array_equal(*relaxed)


@pytest.mark.usefixtures("impatient")
def test_a_terminal_that_is_gone_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Broken()
    give(monkeypatch, stream)
    np.testing.assert_array_equal(FITTED.encode(X), CODES)
    np.testing.assert_array_equal(FITTED.encode(X, verbose=True), CODES)
    stream.close()
    np.testing.assert_array_equal(FITTED.encode(X), CODES)


@pytest.mark.usefixtures("impatient")
def test_errors_leave_no_bar(terminal: Terminal) -> None:
    bad = np.zeros((3 * 2**13, 512), np.float32)  # two chunks and a half
    bad[-1] = np.nan
    codebooks = np.zeros((1, 2, 512), np.float32)
    with pytest.raises(ValueError, match="row 24575"):
        icm_encode(bad, codebooks, threads=1)
    assert "encode" in terminal.getvalue()
    assert terminal.getvalue().rstrip("\r").rsplit("\r", 1)[-1].strip() == ""


@pytest.mark.usefixtures("impatient")
def test_a_bar_of_the_program_keeps_its_line(terminal: Terminal) -> None:
    tqdm = pytest.importorskip("tqdm").tqdm
    with tqdm(total=2, desc="mine", file=terminal) as mine:
        FITTED.encode(X)
        mine.update()
        assert mine.pos == 0
    assert "\n\rencode" in terminal.getvalue()  # on the next line
    assert mine.n == 1


@pytest.mark.parametrize("value", [1, "yes", 0.0])
def test_verbose_is_true_false_or_none(value: object) -> None:
    for call in (
        lambda: AdditiveQuantizer(verbose=value),
        lambda: AdditiveQuantizer(**SETTINGS).fit(X, verbose=value),
        lambda: FITTED.encode(X, verbose=value),
        lambda: FITTED.distortion(X, CODES, verbose=value),
        lambda: icm_encode(X, FITTED.codebooks, verbose=value),
        lambda: CodeStatistics(2, 2, 2, verbose=value),
    ):
        with pytest.raises(TypeError, match="verbose: expected True, False or None, got"):
            call()


NOTEBOOK = """
import io, sys, types
shell = types.SimpleNamespace(config={"IPKernelApp": {}})
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: shell)
import numpy as np
from wsdhq._shared import progress as progress
from wsdhq.quant import AdditiveQuantizer
progress.SHOWN_AFTER = 0.0
sys.stderr = io.StringIO()
q = AdditiveQuantizer.from_codebooks(np.eye(8, dtype=np.float32)[None])
q.encode(np.ones((5, 8), np.float32))
assert "encode" in sys.stderr.getvalue()
"""

SHORT = """
import sys, threading
import numpy as np
from wsdhq.quant import AdditiveQuantizer
AdditiveQuantizer(2, 4, iterations=2).fit(np.random.default_rng(0).random((50, 3)))
assert "tqdm" not in sys.modules
assert threading.active_count() == 1
"""

SHOWN = """
import multiprocessing.util, sys, threading
import numpy as np
from wsdhq.quant import AdditiveQuantizer
q = AdditiveQuantizer(2, 4, iterations=2, verbose=True)
q.fit(np.random.default_rng(0).random((50, 3)))
assert "tqdm" in sys.modules
assert threading.active_count() == 1
assert multiprocessing.util._finalizer_registry == {}
import tqdm
assert not hasattr(tqdm.tqdm, "_lock")
"""


@pytest.mark.parametrize("code", [NOTEBOOK, SHORT, SHOWN], ids=["notebook", "short", "shown"])
def test_in_a_process_of_its_own(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_encoder_tells_its_part_done_and_passes_errors_on() -> None:
    many = np.random.default_rng(0).standard_normal((30_000, 8)).astype(np.float32)
    encoder = _core.Encoder(FITTED.codebooks, None, 2)
    for relaxation, iterations in (("none", 1000), ("data", 60)):
        parts: list[float] = []
        encoder.encode(many, None, iterations, relaxation, 0, 256, 2, parts.append)
        assert parts == sorted(parts)
        assert len(parts) > 2
        assert 0 <= parts[0] < parts[-1] <= 1

    def fail(part: float) -> None:
        raise LookupError(str(part))

    with pytest.raises(LookupError):
        encoder.encode(many, None, 1000, "none", 0, 256, 2, fail)
