"""Real programs around the phone: a server on loopback, and `ortoo-field` beside Python.

Nothing here reaches past the command lines' public contract. The programs are looked for in
``ORTOO_PROGRAMS``, by default where cargo leaves a debug build.
"""

import hashlib
import hmac
import json
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import ortoo

PROGRAMS = Path(
    os.environ.get("ORTOO_PROGRAMS", Path(__file__).resolve().parents[3] / "target" / "debug")
)
PIN = "246810"
UNIT = "152522100200"
OTHER_UNIT = "152522100201"
START_SECONDS_MAX = 60
WORDS = {"LANG": "C", "LC_ALL": "C"}
"""The programs say in English what a phone says that was opened in English."""


def key_store(message):
    """A key store with a key of its own: opens a store for a tenth of what a PIN costs."""
    return hmac.new(b"a key of the tests", message, hashlib.sha256).digest()


KEY_STORE = ortoo.KeyStoreSecret(key_store)


class Said:
    """What a finished command said."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        """The answer; the command must have succeeded."""
        assert self.code == 0, self.out + self.err
        return json.loads(self.out)

    def error(self):
        """The ``error`` object; the command must have failed."""
        assert self.code not in (0, None), self.out
        lines = [line for line in self.err.splitlines() if line.startswith("{")]
        return json.loads(lines[-1])["error"]


def run(program, *args, **environment):
    """Runs a program to its end."""
    path = PROGRAMS / program
    assert path.is_file(), f"{path} is not built: run `cargo build --workspace`"
    done = subprocess.run(
        [path, *map(str, args)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, **WORDS, **environment},
    )
    return Said(done)


class Server:
    """A running sample server."""

    def __init__(self, data):
        self.data = data
        self._start("127.0.0.1:0")

    def _start(self, listen):
        serve = ["--data", self.data, "--json", "serve", "--listen", listen, "--sample"]
        self.process = subprocess.Popen(
            [PROGRAMS / "ortoo-server", *map(str, serve)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "RUST_LOG": "warn"},
        )
        first = json.loads(self.process.stdout.readline())
        self.url = first["url"]
        host, port = self.url.split("://")[1].split(":")
        self.address = (host, int(port))
        # Whatever it prints later must not block it.
        drain = threading.Thread(target=self.process.stdout.read, daemon=True)
        drain.start()
        self._wait_until_it_listens()

    def _wait_until_it_listens(self):
        until = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                socket.create_connection(self.address).close()
                return
            except OSError:
                assert time.monotonic() < until, "the server does not listen"

    def stop(self):
        self.process.kill()
        self.process.wait()

    def kill_and_restart(self):
        """``kill -9``, then the same data on the same address again."""
        self.stop()
        self._start(":".join(map(str, self.address)))

    def run(self, *args):
        """Another verb of the server on the same data."""
        return run("ortoo-server", "--data", self.data, "--json", *args)

    def order(self, *args):
        """What only a person may order, with the sample installation's key of one."""
        return self.run(*args, "--key", self.data / "order.key").json()

    def link(self, *units):
        """A new enrolment link."""
        spaces = [word for unit in units for word in ("--space", unit)]
        return self.run("enrol-code", *spaces).json()["link"]


def field(directory, *args):
    """A verb of ``ortoo-field`` on a store that a PIN opens."""
    return run("ortoo-field", "--dir", directory, "--json", *args, ORTOO_PIN=PIN)


def carried(server, tmp_path, bundle):
    """Gives a bundle to the server; gives the bundle that goes back."""
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes(bundle)
    said = server.run("bundle", "import", there, "--reply", back).json()
    assert said["not_held"] == []
    return back.read_bytes()


def shape(record, subject, with_items=True):
    """A record in the shape that the programs print."""
    printed = {
        "id": record.id,
        "subject": subject,
        "space": record.unit,
        "linked": record.linked,
        "fields": record.fields,
        "conflicts": [{"key": one.key, "values": one.values} for one in record.conflicts],
        "problems": [
            {"key": one.key, "code": one.code, "message": one.message} for one in record.problems
        ],
    }
    if with_items:
        printed["items"] = {
            section: [{"item": item.item, **item.fields} for item in items]
            for section, items in record.items.items()
        }
    return printed


def figure_shape(figure):
    """A figure in the shape that the programs print, without the plan's target."""
    printed = {
        "indicator": figure.indicator,
        "org": figure.unit,
        "year": figure.year,
        "numerator": figure.numerator,
        "denominator": figure.denominator,
        "unknown": figure.unknown,
        "value": figure.value,
    }
    if figure.missing:
        printed["missing"] = figure.missing
    return printed


def without_target(figures):
    """Printed figures without the plan's target."""
    return [{key: of[key] for key in of if key != "target"} for of in figures]


class Stalling:
    """A proxy to a server that stalls: after so many bytes of answers it passes nothing on any more
    and closes nothing, as a phone sees it behind a hill."""

    def __init__(self, server, after):
        self.server, self.left = server, after
        self.has_stalled = threading.Event()
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                phone, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.server.address)
            for pump in (self._requests, self._answers):
                threading.Thread(target=pump, args=(phone, server), daemon=True).start()

    def _requests(self, phone, server):
        self._pass_on(phone, server)
        server.close()

    def _answers(self, phone, server):
        while self.left > 0:
            some = receive(server, min(self.left, 4096))
            if not some:
                phone.close()
                return
            self.left -= len(some)
            phone.sendall(some)
        if receive(server, 1):
            # There is more, which the phone waits for.
            self.has_stalled.set()
        self._ended.wait()
        phone.close()

    @staticmethod
    def _pass_on(source, sink):
        try:
            while some := receive(source, 4096):
                sink.sendall(some)
        except OSError:
            # The other side is gone; so is what was still to pass on.
            pass

    def close(self):
        self._ended.set()
        self._listener.close()


def receive(source, most):
    """What comes in; nothing once the connection is gone."""
    try:
        return source.recv(most)
    except OSError:
        return b""
