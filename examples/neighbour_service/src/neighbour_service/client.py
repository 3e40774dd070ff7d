"""Asking the service from Python."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Client", "ServiceError"]


class ServiceError(Exception):
    """What the service refused, in its words; `status` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """One method for each action of the service. Threads may share it.

    Parameters
    ----------
    url : str
        "http://127.0.0.1:8080", as the service prints it.
    timeout : float
        Seconds to wait for an answer.
    """

    def __init__(self, url: str, timeout: float = 30) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout

    def add(self, vectors: ArrayLike, ids: Sequence[int] | None = None) -> list[int]:
        """Add vectors (n, dim); returns their ids."""
        answer = self._post("/add", vectors=np.asarray(vectors).tolist(), ids=ids)
        return list(answer["ids"])

    def update(self, vectors: ArrayLike, ids: Sequence[int]) -> None:
        """Replace the vectors of ids that are there."""
        self._post("/update", vectors=np.asarray(vectors).tolist(), ids=ids)

    def remove(self, ids: Sequence[int]) -> None:
        """Remove vectors by their ids."""
        self._post("/remove", ids=ids)

    def search(
        self,
        queries: ArrayLike,
        k: int = 10,
        ids: Sequence[int] | None = None,
        id_range: tuple[int, int] | None = None,
    ) -> tuple[list[list[float]], list[list[int]]]:
        """Scores and ids of the k best for each query (n, dim), the best first."""
        answer = self._post(
            "/search", queries=np.asarray(queries).tolist(), k=k, ids=ids, id_range=id_range
        )
        return answer["scores"], answer["ids"]

    def stats(self) -> dict[str, Any]:
        """What is in the index and what it takes."""
        return self._ask("/stats", None)

    def snapshot(self) -> dict[str, Any]:
        """Have the index written to its file."""
        return self._post("/snapshot")

    def _post(self, path: str, **fields: object) -> dict[str, Any]:
        given = {name: value for name, value in fields.items() if value is not None}
        return self._ask(path, json.dumps(given).encode())

    def _ask(self, path: str, body: bytes | None) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(self._url + path, body, self._timeout) as response:
                answer: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise ServiceError(error.code, json.load(error)["error"]) from None
        return answer
