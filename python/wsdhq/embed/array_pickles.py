"""Reading pickles of arrays and plain attributes, from files that may hold anything.

A pickle is a program. Here it runs on nothing but stand-ins, of which arrays of floats are made
afterwards: neither NumPy nor anything else is called with what the file says. Before it runs, its
instructions are walked over: what Python's unpickler would make room for by a number in the file
(a length, a place among what is remembered) must be within the file's own length.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

_FLOATS = ("f2", "f4", "f8")

# A tuple within a tuple within a tuple ... that is the key of a dict is hashed by calls in calls,
# and so many are safe on the small stack of a thread. Pickles with more tuples are read by an
# unpickler that refuses more than a few levels.
_MAX_LEVELS = 2000
_FEW_LEVELS = 50


class StandIn:
    """What takes the place of an object while a pickle is read: keeps arguments and state.

    Every stand-in has `__setstate__`: pickle would else set attributes on whatever is at hand,
    the classes themselves included.
    """

    # Of the class too: a pickle may make objects without calling __init__.
    arguments: tuple[Any, ...] = ()
    state: Any = None

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Dtype(StandIn):
    def as_float(self) -> np.dtype[Any] | None:
        """The dtype of floats that is meant; None if it is another kind."""
        name = as_text(self.arguments[0]) if self.arguments else ""
        state = self.state
        order = as_text(state[1]) if isinstance(state, tuple) and len(state) > 1 else "|"
        name = name.lstrip("<>=|")
        if name not in _FLOATS or order not in ("<", ">", "=", "|"):
            return None
        return np.dtype(f"{order}{np.dtype(name).str[1:]}")


class ArrayStandIn(StandIn):
    """Stands for an array of NumPy."""

    def only_item(self) -> Any:
        """The object that an array of one object holds; None if it is no such array."""
        data = self.state[-1] if isinstance(self.state, tuple) and self.state else None
        return data[0] if isinstance(data, list) and len(data) == 1 else None

    def as_array(self) -> NDArray[Any] | None:
        """The array of floats that is meant; None if it is another kind.

        Raises ValueError or TypeError if its shape does not fit its bytes.
        """
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            return None
        _, shape, dtype, by_columns, data = self.state
        # Python 2 knew no bytes: they come as text of as many characters.
        data = data.encode("latin1") if isinstance(data, str) else data
        floats = dtype.as_float() if isinstance(dtype, _Dtype) else None
        if floats is None or not isinstance(data, bytes) or not isinstance(shape, tuple):
            return None
        if not all(type(length) is int and length >= 0 for length in shape):
            raise ValueError("its shape is none")
        return np.frombuffer(data, floats).reshape(shape, order="F" if by_columns else "C")


class _Encoded(StandIn):
    """How Python 3 pickles bytes for Python 2: as text to be encoded."""

    left = 0  # bytes that texts of the file may become: each of them once

    def __new__(cls, text: str, encoding: str = "latin1") -> Any:
        cls.left -= len(text)
        if cls.left < 0:
            raise ValueError("it makes more bytes of its texts than it has")
        return text.encode("latin1")


# What arrays of NumPy are pickled by, named so by NumPy 1 and by NumPy 2.
ARRAY_NAMES: dict[tuple[str, str], type[StandIn]] = {
    ("numpy", "ndarray"): ArrayStandIn,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Encoded,
    ("numpy.core.multiarray", "_reconstruct"): ArrayStandIn,
    ("numpy._core.multiarray", "_reconstruct"): ArrayStandIn,
    ("numpy.core.multiarray", "scalar"): StandIn,
    ("numpy._core.multiarray", "scalar"): StandIn,
}


def read_pickle(
    file: BinaryIO,
    names: Mapping[tuple[str, str], type[StandIn]],
    packages: Mapping[str, type[StandIn]] | None = None,
    encoding: str = "ASCII",
) -> Any:
    """Run the pickle that a file goes on with, on stand-ins alone.

    Parameters
    ----------
    file : binary file
        Read to its end. Memory is in proportion to what is left of it.
    names : mapping
        The stand-in for each (module, name) that the pickle may ask for.
    packages : mapping, optional
        The stand-in for every name of a package, "gensim" say.
    encoding : str
        Of texts that Python 2 pickled.

    Raises
    ------
    Exception
        Of nearly any kind, with a reason to read: damaged instructions, one that arrays do not
        need, a length beyond the file's, a name that is not known.
    """
    data = file.read()
    num_tuples = _check_instructions(data)
    encoder = type("Encoded", (_Encoded,), {"left": len(data)})

    def find_class(self: object, module: str, name: str) -> Any:
        kind = names.get((module, name))
        if kind is None and packages is not None:
            kind = packages.get(module.partition(".")[0])
        if kind is None:
            raise ValueError(
                f"the file asks for {module}.{name}, which is no part of an array of numbers; "
                "nothing of it was run"
            )
        return encoder if kind is _Encoded else kind

    base = pickle.Unpickler if num_tuples <= _MAX_LEVELS else _ShallowUnpickler
    unpickler = type("Unpickler", (base,), {"find_class": find_class})
    return unpickler(io.BytesIO(data), encoding=encoding).load()


def as_text(value: Any) -> str:
    """A text, which Python 2 may have written as bytes."""
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


# Of instructions: bytes of their argument; bytes of the number that tells how long it is; lines of
# text. Those not listed are not needed for arrays: they ask for objects outside of the file, copy
# what is on the stack, or make room for bytes that come later.
_FIXED = {op: 0 for op in b"(.01NRabde})lst]u\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94"}
_FIXED |= {ord("K"): 1, ord("M"): 2, ord("J"): 4, ord("G"): 8, ord("h"): 1, ord("j"): 4}
_FIXED |= {0x80: 1, ord("q"): 1}
_COUNTED = {ord("U"): 1, ord("C"): 1, 0x8C: 1, 0x8A: 1, ord("T"): 4, ord("X"): 4, ord("B"): 4}
_COUNTED |= {0x8B: 4, 0x8D: 8, 0x8E: 8}
_LINES = {ord(op): 1 for op in "FILSVgp"} | {ord("c"): 2}
_STOP, _PUT, _LONG_PUT, _FRAME = ord("."), ord("p"), ord("r"), 0x95
_TUPLES = frozenset(b"t\x85\x86\x87")
_STEPS = [_FIXED.get(op, -2) + 1 for op in range(256)]


def _check_instructions(data: bytes) -> int:
    """Walk over a pickle to its end; gives how many tuples it makes. ValueError if it is wrong."""
    place, num_tuples = 0, 0
    try:
        while True:
            op = data[place]
            step = _STEPS[op]
            if step > 0:
                if op in _TUPLES:
                    num_tuples += 1
                elif op == _STOP:
                    return num_tuples
                place += step
                continue
            if op in _COUNTED:
                width = _COUNTED[op]
                length = int.from_bytes(data[place + 1 : place + 1 + width], "little")
                place += 1 + width + length
            elif op == _LONG_PUT:
                _check_remembered(int.from_bytes(data[place + 1 : place + 5], "little"), place)
                place += 5
            elif op == _FRAME:
                length = int.from_bytes(data[place + 1 : place + 9], "little")
                if length > len(data) - place:
                    place += length  # told below
                place += 9
            elif op in _LINES:
                end = place + 1
                for _ in range(_LINES[op]):
                    end = data.index(b"\n", end) + 1
                if op == _PUT:
                    _check_remembered(int(data[place + 1 : end]), place)
                place = end
            else:
                raise ValueError(
                    f"its instruction {op:#04x} at byte {place} is none that arrays need"
                )
            if place > len(data):
                raise ValueError(f"it is cut short: what it tells ends at byte {place}")
    except IndexError:
        raise ValueError("it is cut short: it has no end") from None


def _check_remembered(number: int, place: int) -> None:
    # The unpickler makes room for so many, and there are not more of them than bytes so far.
    if not 0 <= number <= place:
        raise ValueError(f"it remembers object {number}, and there were {place} bytes")


def _shallow(op: int) -> Any:
    """The unpickler's own step that makes a tuple, and a look at what is in it."""
    load = pickle._Unpickler.dispatch[op]

    def load_tuple(self: Any) -> None:
        load(self)
        level = [self.stack[-1]]
        for _ in range(_FEW_LEVELS):
            level = [each for some in level for each in some if type(each) is tuple]
            if not level:
                return
        raise ValueError(f"it has tuples within tuples, more than {_FEW_LEVELS} levels")

    return load_tuple


class _ShallowUnpickler(pickle._Unpickler):
    """Python's own unpickler in Python: slower, but it can be told to look at tuples."""

    dispatch: ClassVar[dict[int, Any]] = {
        **pickle._Unpickler.dispatch,
        **{op: _shallow(op) for op in _TUPLES},
    }
