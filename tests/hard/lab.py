"""`make lab` in a clone, and what is asked of its server."""

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import psutil
from test_hard_places import TINY, make_command


class Lab(NamedTuple):
    """A running server. process: of make, the server is below it; port and token: what its address says."""

    process: subprocess.Popen
    port: int
    token: str

    def processes(self) -> list[psutil.Process]:
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]

    def ask(self, method: str, path: str, body=None, **headers) -> tuple[int, object]:
        """Return the status and the JSON of what the server answers; no token but what the caller sends."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, None

    def allowed(self, method: str, path: str, body=None) -> tuple[int, object]:
        return self.ask(method, path, body, Authorization=f"token {self.token}")


@contextlib.contextmanager
def lab(clone: Path, folder: Path):
    """Yield the Lab that `make lab` starts in a clone, with a home and a log in `folder`; end it afterwards."""
    (folder / "home").mkdir()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = os.environ | TINY | {"PYTHONPATH": str(clone), "HOME": str(folder / "home"), "MAKEFLAGS": ""}
    with open(folder / "log", "w") as log:
        command = make_command("lab", "BROWSER=0", f"PORT={port}")
        pipes = {"stdout": log, "stderr": subprocess.STDOUT}
        server = subprocess.Popen(command, cwd=clone, env=environment, start_new_session=True, **pipes)
        started = Lab(server, port, "")
        try:
            deadline = time.monotonic() + 180
            while not (found := re.search(r"http://(\S+?):\d+/lab\S*?\?token=(\w+)", Path(log.name).read_text())):
                assert server.poll() is None and time.monotonic() < deadline, Path(log.name).read_text()
                time.sleep(0.2)
            yield started._replace(token=found[2])
        finally:
            for process in reversed(started.processes()):
                with contextlib.suppress(psutil.NoSuchProcess):  # it may have ended meanwhile
                    process.kill()
            server.wait()
