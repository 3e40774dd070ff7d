"""A nearest-neighbour service: an `AQDIndex` behind HTTP, with nothing but the standard library.

`NeighbourService` is what is served, `serve` and `make_server` serve it, `Client` asks for it.
"""

from neighbour_service.client import Client, ServiceError
from neighbour_service.server import NeighbourServer, make_server, serve
from neighbour_service.service import NeighbourService

__all__ = [
    "Client",
    "NeighbourServer",
    "NeighbourService",
    "ServiceError",
    "make_server",
    "serve",
]
