"""The service over real HTTP: its answers, many clients at once, mistakes, and its end."""

from __future__ import annotations

import ast
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import numpy as np
import pytest

from wsdhq.quant import AdditiveQuantizer, AQDIndex

ROOT = Path(__file__).resolve().parents[2] / "examples/neighbour_service"
DIM = 8
RNG = np.random.default_rng(0)
X = RNG.standard_normal((1200, DIM)).astype(np.float32)
Q = RNG.standard_normal((3, DIM)).astype(np.float32)
QUANTIZER = AdditiveQuantizer(4, 64, iterations=3, threads=1).fit(X)
REBUILT = QUANTIZER.decode(QUANTIZER.encode(X)).astype(np.float64)


def brute_force(state: dict[int, int], k: int) -> tuple[list[list[float]], list[list[int]]]:
    """Of a state, which row of X each id has, the k nearest of each query."""
    ids = np.array(list(state), np.int64)
    scores = -((Q[:, None].astype(np.float64) - REBUILT[list(state.values())]) ** 2).sum(axis=2)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, axis=1).tolist(), ids[order].tolist()


def is_same(answer, expected) -> bool:
    (scores, ids), (wanted_scores, wanted_ids) = answer, expected
    return ids == wanted_ids and all(
        np.allclose(got, wanted, rtol=0, atol=1e-4) for got, wanted in zip(scores, wanted_scores)
    )


def assert_same(answer, expected) -> None:
    assert is_same(answer, expected), (answer, expected)


@pytest.fixture
def served(neighbour_service, tmp_path):
    """A service of 40 vectors with the ids 0 .. 39: its client, server and file."""
    index = AQDIndex(QUANTIZER, "l2")
    index.add_vectors(X[:40])
    path = tmp_path / "index.wsdhq"
    server = neighbour_service.make_server(neighbour_service.NeighbourService(index, path))
    answering = threading.Thread(target=server.serve_forever, args=(0.01,))
    answering.start()
    yield neighbour_service.Client(server.url), server, path
    server.shutdown()
    answering.join()
    server.server_close()


def test_answers_are_those_of_brute_force(served):
    client, _, _ = served
    state = {i: i for i in range(40)}
    assert_same(client.search(Q, k=7), brute_force(state, 7))
    assert client.add(X[40:43]) == [40, 41, 42]
    assert client.add(X[43:45], ids=[1000, 7000]) == [1000, 7000]
    assert client.add(X[45:46]) == [7001]
    state |= {40: 40, 41: 41, 42: 42, 1000: 43, 7000: 44, 7001: 45}
    assert_same(client.search(Q, k=100), brute_force(state, 100))
    client.update(X[100:102], [1000, 3])
    state |= {1000: 100, 3: 101}
    client.remove([0, 41])
    del state[0], state[41]
    assert_same(client.search(Q, k=100), brute_force(state, 100))
    assert client.search(Q, k=0) == ([[], [], []], [[], [], []])
    some = [7000, 5, 9, 11]
    assert_same(client.search(Q, 3, ids=some), brute_force({i: state[i] for i in some}, 3))
    between = {i: row for i, row in state.items() if 5 <= i < 1001}
    assert_same(client.search(Q, 90, id_range=(5, 1001)), brute_force(between, 90))
    assert client.search(Q, 5, id_range=(8000, 9000)) == ([[], [], []], [[], [], []])
    stats = client.stats()
    assert (stats["len"], stats["dim"], stats["similarity"]) == (44, DIM, "l2")
    assert stats["nbytes"] > 44 * 5
    assert stats["index"].startswith("AQDIndex(44 vectors, similarity='l2'")


def test_many_clients_see_states_that_there_were(served):
    """Each answer is that of one state of the index, and no client goes back in time."""
    client, _, path = served
    rng = np.random.default_rng(1)
    states, changes = [{i: i for i in range(40)}], []
    for _ in range(120):
        state, row = dict(states[-1]), int(rng.integers(100, 1000))
        kind = ("add", "update", "remove")[int(rng.integers(3))]
        if kind == "add":
            ids = [max(max(each) for each in states) + 1 + n for n in range(3)]
            state |= {i: row + n for n, i in enumerate(ids)}
        else:
            ids = [int(i) for i in rng.choice(list(state), 2, replace=False)]
            for n, i in enumerate(ids):
                if kind == "update":
                    state[i] = row + n
                else:
                    del state[i]
        states.append(state)
        changes.append((kind, ids, X[row : row + len(ids)]))
    expected = {k: [brute_force(state, k) for state in states] for k in (5, 1000)}
    done, wrong, seen = threading.Event(), [], set()

    def read(k: int) -> None:
        at_least, is_last = 0, False
        while not is_last:
            is_last = done.is_set()
            try:
                answer = client.search(Q, k)
            except Exception as error:
                wrong.append(error)
                return
            fitting = [n for n, each in enumerate(expected[k]) if is_same(answer, each)]
            later = [n for n in fitting if n >= (len(changes) if is_last else at_least)]
            if not later:
                wrong.append((k, at_least, fitting, answer))
                return
            at_least = later[0]
            seen.add(at_least)

    readers = [threading.Thread(target=read, args=(k,)) for k in (5, 1000, 5, 1000)]
    for reader in readers:
        reader.start()
    try:
        for number, (kind, ids, vectors) in enumerate(changes):
            if kind == "add":
                assert client.add(vectors, ids) == ids
            elif kind == "update":
                client.update(vectors, ids)
            else:
                client.remove(ids)
            if number == 60:
                assert client.snapshot() == {"path": str(path), "len": len(states[61])}
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert not wrong, wrong[0]
    assert len(seen) > 10
    # What was saved in the middle is whole, and of its moment.
    kept = AQDIndex.load(path, verify=True)
    scores, found = kept.search(Q, len(kept))
    assert_same((scores.tolist(), found.tolist()), expected[1000][61])
    assert client.stats()["unsaved_changes"] == 59


@pytest.mark.parametrize(
    ("path", "request_", "message"),
    [
        ("/add", {"vectors": [[0.0] * 7]}, "expected shape (num_vectors, 8), got (1, 7)"),
        ("/add", {"vectors": [[0.0] * 8, [0.0]]}, "vectors: expected lists of numbers, all of"),
        ("/add", {"vectors": [["0"] * 8]}, "vectors: expected a list of lists of numbers"),
        ("/add", {"vectors": [0.0] * 8}, "vectors: expected a list of lists of numbers"),
        ("/add", {"vectors": [[1e30] * 8]}, "row 0, column 0 is 1e+30: expected finite"),
        ("/add", {"vectors": [[0.0] * 8], "ids": [5]}, "ids: id 5 is in the index already"),
        ("/add", {"vectors": [[0.0] * 8], "ids": [-5]}, "ids: expected ids from 0"),
        ("/add", {"vectors": [[0.0] * 8], "ids": [50, 51]}, "ids: expected 1 ids, got 2"),
        ("/add", {"vectors": [[0.0] * 8], "ids": [1.0]}, "ids: expected a list of integers"),
        ("/add", {}, "missing a required argument: 'vectors'"),
        ("/update", {"vectors": [[0.0] * 8], "ids": [99]}, "id 99 is not in the index"),
        ("/remove", {"ids": [3, 99]}, "id 99 is not in the index"),
        ("/remove", {"ids": [3, 3]}, "id 3 comes more than once"),
        ("/remove", {"ids": [2**70]}, "ids: expected integers"),
        ("/search", {"queries": [[0.0] * 8], "k": -1}, "k: expected 0 to"),
        ("/search", {"queries": [[0.0] * 8], "k": True}, "k: expected an integer, got bool"),
        ("/search", {"queries": [[0.0] * 8], "ids": [True]}, "ids: expected a list of integers"),
        ("/search", {"queries": [[0.0] * 8], "ids": [99]}, "id 99 is not in the index"),
        ("/search", {"queries": [[0.0] * 8], "id_range": [1]}, "expected [first, end], got 1"),
        (
            "/search",
            {"queries": [[0.0] * 8], "id_range": [1, 2], "ids": []},
            "expected at most one of ids and id_range, got both",
        ),
        ("/search", {"queries": [[0.0] * 8], "kk": 3}, "unexpected keyword argument 'kk'"),
        ("/search", [1], "expected a JSON object, got list"),
        ("/search", b'{"queries": [[NaN]]}', "NaN is no number in JSON"),
        ("/search", b"{", "Expecting property name"),
        ("/search", b"[" * 100_000, "recursion"),
        ("/search", b"\xff", "decode"),
    ],
)
def test_mistakes_come_back_with_what_is_wrong(served, path, request_, message):
    client, server, _ = served
    before = client.search(Q, 100)
    body = request_ if isinstance(request_, bytes) else json.dumps(request_).encode()
    status, answer = ask(server, "POST", path, body)
    assert status == 400
    assert message in answer["error"]
    assert client.search(Q, 100) == before
    assert client.stats()["unsaved_changes"] == 0


def ask(server, method, path, body=None, headers=()):
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=30)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        assert response.headers["Content-Type"] == "application/json"
        return response.status, json.load(response)
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "message"),
    [
        ("GET", "/", {}, 404, "no / here: expected /stats, /add"),
        ("GET", "/search", {}, 405, "/search is not for GET"),
        ("POST", "/stats", {}, 405, "/stats is not for POST"),
        ("POST", "/add", {"Content-Length": str(1 << 40)}, 413, "expected at most 67108864"),
        ("POST", "/add", {"Content-Length": "-1"}, 411, "Content-Length is '-1'"),
    ],
)
def test_requests_of_another_kind(served, method, path, headers, status, message):
    _, server, _ = served
    got, answer = ask(server, method, path, headers=headers)
    assert got == status
    assert message in answer["error"]


def test_the_client_tells_what_the_service_refused(served, neighbour_service):
    client, _, _ = served
    with pytest.raises(neighbour_service.ServiceError, match="id 77 is not in the index") as told:
        client.remove([77])
    assert told.value.status == 400


def test_a_file_that_cannot_be_written_is_told_and_not_taken_for_saved(served):
    client, server, path = served
    path.mkdir()
    client.add(X[:1])
    status, answer = ask(server, "POST", "/snapshot", b"")
    assert status == 500
    assert "is a folder" in answer["error"]
    assert client.stats()["unsaved_changes"] == 1


def environment() -> dict[str, str]:
    places = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places)}


def start(*arguments: object) -> tuple[subprocess.Popen[str], str]:
    """Start `neighbour-service serve`: the process, and the line that says what it serves."""
    command = [sys.executable, "-m", "neighbour_service", "serve", *map(str, arguments)]
    process = subprocess.Popen(
        [*command, "--port", "0"], stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert process.stdout is not None
    return process, process.stdout.readline()


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().removeprefix("listening on ").strip()


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without a signal to handle")
def test_it_is_created_served_ended_and_found_again(neighbour_service, tmp_path):
    np.save(tmp_path / "X.npy", X)
    path = tmp_path / "index.wsdhq"
    create = ["create", path, tmp_path / "X.npy", "--num-codebooks", 2, "--most", 600]
    made = subprocess.run(
        [sys.executable, "-m", "neighbour_service", *map(str, create)],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
    )
    assert made.returncode == 0, made.stderr
    assert "AQDIndex(1200 vectors, similarity='l2', num_codebooks=2" in made.stdout

    process, what = start(path)
    try:
        url = url_of(process)
        client = neighbour_service.Client(url)
        assert "1200 vectors" in what
        assert "mapped from a file" in what
        assert client.stats()["nbytes"] == 0
        # A request that is half sent when the service is asked to end is answered and saved.
        body = json.dumps({"vectors": X[:2].tolist(), "ids": [5000, 5001]}).encode()
        address = url.removeprefix("http://").split(":")
        with socket.create_connection((address[0], int(address[1])), timeout=30) as half:
            half.sendall(f"POST /add HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n".encode())
            half.sendall(body[:50])
            client.stats()  # after which the half request has been taken up
            process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
            half.sendall(body[50:])
            answer = b"".join(iter(lambda: half.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.0 200")
        assert json.loads(answer.split(b"\r\n\r\n")[1]) == {"ids": [5000, 5001]}
        assert process.wait(30) == 0
        assert process.stdout is not None
        assert process.stdout.read() == f"saved 1202 vectors in {path}\n"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()

    assert 5001 in AQDIndex.load(path, verify=True)
    process, what = start(path)
    try:
        assert "1202 vectors" in what
        assert neighbour_service.Client(url_of(process)).add(X[:1]) == [5002]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert len(AQDIndex.load(path)) == 1203


def test_a_missing_file_is_told_in_a_line(neighbour_service, tmp_path):
    from neighbour_service.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["serve", str(tmp_path / "none.wsdhq")])
    assert "neighbour-service: " in ended.value.code
    assert "none.wsdhq: no such file" in ended.value.code


def test_of_wsdhq_it_imports_quant_alone():
    files = sorted((ROOT / "src").rglob("*.py"))
    assert len(files) >= 4
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{'.' * node.level}{node.module}"]
            for name in names:
                known = {"numpy", "neighbour_service", *sys.stdlib_module_names}
                assert name == "wsdhq.quant" or name.split(".")[0] in known, (file, name)


def test_nothing_else_of_wsdhq_and_no_torch_is_loaded():
    code = (
        "import sys, neighbour_service.cli\n"
        "print(*sorted({name.split('.')[1] for name in sys.modules if name[:6] == 'wsdhq.'}))\n"
        "print('torch' in sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=60
    )
    assert printed.stdout.splitlines() == [
        "_core _shared quant",
        "False",
    ], printed.stderr


def test_it_depends_on_wsdhq_alone():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["dependencies"] == ["wsdhq"]
