"""What the tests share: a server of their own each, and phones enrolled at it."""

import sys

import pytest

import ortoo
from harness import KEY_STORE, UNIT, Server


@pytest.fixture
def server(tmp_path):
    """A sample server without records; ended by its process."""
    server = Server(tmp_path / "server")
    yield server
    server.stop()


@pytest.fixture
def enrolled(server, tmp_path):
    """Makes phones: ``enrolled("a")`` is one of the unit; all are locked at the end."""
    phones = []

    def make(name, *units, secret=KEY_STORE, language="en"):
        directory = tmp_path / name
        ortoo.enrol(directory, secret, server.link(*(units or [UNIT])))
        phone = ortoo.Phone.open(directory, secret, language)
        phone.exchange()
        phones.append(phone)
        return phone

    yield make
    for phone in phones:
        phone.lock()


def pytest_configure(config):
    # Lines that a test prints for whoever repeats it must reach a terminal that cannot say Chinese.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
