"""What shows only when calls wait, come from many threads, or come again and again."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import ortoo
from harness import KEY_STORE, UNIT, Stalling
from people import woman

CYCLES = int(os.environ.get("ORTOO_CYCLES", "100"))
GROWTH_KIB_MAX = 5 * 1024
"""What memory may grow by between a quarter of the cycles and their end."""


@pytest.fixture
def silent():
    """An address that hears whoever connects and never answers, and word that somebody did."""
    listener = socket.create_server(("127.0.0.1", 0))
    reached = threading.Event()

    def hear():
        connection, _ = listener.accept()
        with connection:
            connection.recv(1)
            reached.set()
            while connection.recv(4096):
                pass

    threading.Thread(target=hear, daemon=True).start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}", reached
    listener.close()


def test_a_stalled_exchange_holds_nothing_up_and_goes_on_after_it_was_cancelled(
    enrolled, server, silent
):
    url, reached = silent
    phone = enrolled("a")
    id = phone.add("person", woman())
    phone.set_server(url)
    exchange = phone.start_exchange()
    assert reached.wait(30)
    assert phone.show(id).fields["identity.name"] == "其其格"
    with pytest.raises(ortoo.WrongRequest) as raised:
        phone.start_exchange()
    assert raised.value.codes == ("exchange_running",)
    started = time.monotonic()
    exchange.cancel()
    with pytest.raises(ortoo.Cancelled):
        exchange.wait(30)
    assert time.monotonic() - started < 5
    phone.set_server(server.url)
    phone.exchange()
    other = enrolled("b")
    assert other.show(id).fields["identity.name"] == "其其格"


@pytest.fixture
def stalling(server):
    """Makes proxies to the server that stall after so many bytes of answers."""
    proxies = []

    def make(after):
        proxies.append(Stalling(server, after))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()


# Before the handshake, in the middle of it, and early and late in the answer.
@pytest.mark.parametrize("after", [0, 700, 1500, 2400])
def test_an_exchange_that_stalls_anywhere_is_cancelled_at_once_and_the_next_one_passes(
    enrolled, server, stalling, after
):
    a, b = enrolled("a"), enrolled("b")
    for at in range(60):
        a.add("person", woman(f"其其格{at}", sequence=100 + 2 * at))
    a.exchange()
    own = b.add("person", woman("乌云", sequence=90))
    proxy = stalling(after)
    b.set_server(proxy.url)
    exchange = b.start_exchange()
    assert proxy.has_stalled.wait(30)
    # Everything but the exchange goes on meanwhile.
    assert b.show(own).fields["identity.name"] == "乌云"
    b.edit(own, {"identity.phone": "10012345678"})
    with pytest.raises(TimeoutError):
        exchange.wait(0.01)
    assert exchange.is_running
    started = time.monotonic()
    exchange.cancel()
    with pytest.raises(ortoo.Cancelled) as raised:
        exchange.wait(30)
    assert time.monotonic() - started < 2
    assert raised.value.codes == ("cancelled",)
    b.set_server(server.url)
    b.exchange()
    a.exchange()
    for phone in (a, b):
        assert len(phone.list("person")) == 61
        assert phone.show(own).fields["identity.phone"] == "10012345678"
        assert phone.status().unsent == 0


def press_ctrl_c_when(event):
    """As a user does who has waited long enough."""

    def press():
        if event.wait(30):
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()


def test_ctrl_c_stops_an_enrolment_and_its_link_may_be_used_again(server, stalling, tmp_path):
    proxy = stalling(0)
    link = server.run("enrol-code", "--space", UNIT, "--url", proxy.url).json()["link"]
    press_ctrl_c_when(proxy.has_stalled)
    with pytest.raises(KeyboardInterrupt):
        ortoo.enrol(tmp_path / "a", KEY_STORE, link)
    proxy.close()
    again = stalling(10**9)
    ortoo.enrol(tmp_path / "a", KEY_STORE, link.replace(port(proxy), port(again)))
    with ortoo.Phone.open(tmp_path / "a", KEY_STORE) as phone:
        phone.exchange()


def port(proxy):
    return proxy.url.rpartition(":")[2]


def test_ctrl_c_stops_an_exchange_and_the_phone_goes_on(enrolled, server, stalling):
    phone = enrolled("a")
    id = phone.add("person", woman())
    proxy = stalling(700)
    phone.set_server(proxy.url)
    press_ctrl_c_when(proxy.has_stalled)
    with pytest.raises(KeyboardInterrupt):
        phone.exchange()
    assert phone.show(id).id == id
    phone.set_server(server.url)
    phone.exchange()
    assert phone.status().unsent == 0


LEAVING = """
import sys
import ortoo
from harness import KEY_STORE

directory, url, how = sys.argv[1:]
phone = ortoo.Phone.open(directory, KEY_STORE)
phone.set_server(url)
if how == "with":
    with phone:
        exchange = phone.start_exchange()
elif how == "kept":
    exchange = phone.start_exchange(print)
else:
    phone.start_exchange(print)
"""


@pytest.mark.parametrize("how", ["with", "kept", "dropped"])
def test_a_script_that_ends_ends_its_exchange(enrolled, stalling, tmp_path, how):
    enrolled("a").lock()
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", LEAVING, str(tmp_path / "a"), stalling(0).url, how],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (here.parent, here)))},
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_eight_threads_on_one_phone_lose_nothing(enrolled, server):
    phone = enrolled("a")
    written, failures = {}, []

    def write(writer):
        try:
            for at in range(15):
                id = phone.add("person", woman(f"其其格{writer}", sequence=100 + 2 * at))
                phone.edit(id, {"identity.name": f"其其格{writer}甲{at}"})
                written[id] = phone.show(id).fields["identity.name"]
                if writer == 0 and at % 5 == 0:
                    phone.exchange()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    phone.exchange()
    other = enrolled("b")
    assert len(written) == 8 * 15
    for held in (phone, other):
        assert {id: held.show(id).fields["identity.name"] for id in written} == written
    server.run("verify").json()


CYCLE = """
import sys
import ortoo
from harness import KEY_STORE

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

cycles = int(sys.argv[2])
for at in range(1, cycles + 1):
    with ortoo.Phone.open(sys.argv[1], KEY_STORE) as phone:
        phone.exchange()
        assert len(phone.list("person")) == 10
    if at % max(1, cycles // 20) == 0:
        print(at, resident(), flush=True)
"""


@pytest.mark.skipif(
    not os.access("/proc/self/status", os.R_OK), reason="resident memory is read from /proc"
)
def test_a_phone_that_is_opened_and_closed_again_and_again_leaves_no_memory_behind(
    enrolled, tmp_path
):
    phone = enrolled("a")
    for at in range(10):
        phone.add("person", woman(f"其其格{at}", sequence=100 + 2 * at))
    phone.exchange()
    phone.lock()
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", CYCLE, str(tmp_path / "a"), str(CYCLES)],
        capture_output=True,
        text=True,
        # What opening a store uses for a moment goes back to the system at once.
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (here.parent, here))),
            "MALLOC_ARENA_MAX": "2",
            "MALLOC_MMAP_THRESHOLD_": "1048576",
        },
    )
    assert done.returncode == 0, done.stderr
    measured = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    (warm_at, warm), (end_at, end) = measured[len(measured) // 4], measured[-1]
    print("memory:", ", ".join(f"{at}: {kib // 1024} MiB" for at, kib in measured))
    print(f"memory: grown by {end - warm} KiB from cycle {warm_at} to {end_at}")
    assert end_at == CYCLES
    assert end - warm < GROWTH_KIB_MAX
