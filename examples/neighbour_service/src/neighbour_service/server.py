"""HTTP around a `NeighbourService`: JSON in, JSON out, a thread for each request."""

from __future__ import annotations

import inspect
import json
import logging
import signal
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn

from neighbour_service.service import NeighbourService

__all__ = ["NeighbourServer", "make_server", "serve"]

logger = logging.getLogger("neighbour_service")

MAX_BYTES = 64 << 20

Action = Callable[..., dict[str, Any]]


class NeighbourServer(ThreadingHTTPServer):
    """A server that ends when its requests have ended."""

    # server_close then waits for the requests that are under way.
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], service: NeighbourService) -> None:
        super().__init__(address, _Handler)
        self.actions: dict[tuple[str, str], Action] = {
            ("GET", "/stats"): service.stats,
            ("POST", "/add"): service.add,
            ("POST", "/update"): service.update,
            ("POST", "/remove"): service.remove,
            ("POST", "/search"): service.search,
            ("POST", "/snapshot"): service.snapshot,
        }

    @property
    def url(self) -> str:
        """Where clients find it."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"


def make_server(
    service: NeighbourService, host: str = "127.0.0.1", port: int = 0
) -> NeighbourServer:
    """Listen, on a free port where it is 0; `serve_forever` then answers."""
    return NeighbourServer((host, port), service)


def serve(service: NeighbourService, host: str = "127.0.0.1", port: int = 8080) -> None:
    """Answer requests until SIGINT or SIGTERM, let those under way end, and save.

    To be called in the main thread, which alone may handle signals.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server = make_server(service, host, port)
    answering = threading.Thread(target=server.serve_forever)
    answering.start()
    print(f"{service.stats()['index']}\nlistening on {server.url}", flush=True)
    # With a timeout, because on Windows no signal interrupts a wait without.
    while not stop.wait(0.5):
        pass
    server.shutdown()
    answering.join()
    server.server_close()
    saved = service.snapshot()
    print(f"saved {saved['len']} vectors in {saved['path']}", flush=True)


class _BadRequestError(Exception):
    """A request that cannot be answered, with the status that says so."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: NeighbourServer

    # Seconds that a client may be silent for.
    timeout = 30
    # Head and body leave together.
    wbufsize = -1

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        try:
            request = self._read()
            action = self._action()
            inspect.signature(action).bind(**request)
            status, answer = HTTPStatus.OK, action(**request)
        except _BadRequestError as error:
            status, answer = error.status, {"error": str(error)}
        # What the client got wrong, in the words of wsdhq.
        except (TypeError, ValueError, RecursionError) as error:
            status, answer = HTTPStatus.BAD_REQUEST, {"error": str(error)}
        except Exception as error:
            logger.exception("%s %s", self.command, self.path)
            status, answer = HTTPStatus.INTERNAL_SERVER_ERROR, {"error": str(error)}
        body = json.dumps(answer, allow_nan=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _action(self) -> Action:
        actions = self.server.actions
        if (self.command, self.path) in actions:
            return actions[self.command, self.path]
        if any(path == self.path for _, path in actions):
            raise _BadRequestError(
                HTTPStatus.METHOD_NOT_ALLOWED, f"{self.path} is not for {self.command}"
            )
        known = ", ".join(path for _, path in actions)
        raise _BadRequestError(HTTPStatus.NOT_FOUND, f"no {self.path} here: expected {known}")

    def _read(self) -> dict[str, Any]:
        """Read the body: an object of JSON, or nothing."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal():
            raise _BadRequestError(HTTPStatus.LENGTH_REQUIRED, f"Content-Length is {length!r}")
        if int(length) > MAX_BYTES:
            raise _BadRequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"expected at most {MAX_BYTES} bytes, got {length}",
            )
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise _BadRequestError(
                HTTPStatus.BAD_REQUEST, f"expected {length} bytes, got {len(body)}"
            )
        request = json.loads(body, parse_constant=_refuse) if body else {}
        if not isinstance(request, dict):
            raise TypeError(f"expected a JSON object, got {type(request).__name__}")
        return request

    def log_message(self, format: str, *args: object) -> None:
        logger.info("%s %s", self.address_string(), format % args)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number in JSON")
