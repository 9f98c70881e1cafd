"""What calls cost from Python: ``python3 bench_calls.py STORE PIN`` prints one line of JSON, medians in
microseconds. The server of the store's network must be up."""

import json
import statistics
import sys
import time

import ortoo

CALLS = 300
SLOW_CALLS = 15


def timed(calls, call):
    """The median time of a call, in microseconds."""
    times = []
    for at in range(calls):
        started = time.perf_counter()
        call(at)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


def main(directory, pin):
    with ortoo.Phone.open(directory, pin) as phone:
        phone.exchange()
        rows = phone.list("person")
        shown = rows[0].id
        figures = {
            "show_us": timed(CALLS, lambda _: phone.show(shown)),
            "list_us": timed(SLOW_CALLS, lambda _: phone.list("person")),
            "list_rows": len(rows),
            "exchange_us": timed(SLOW_CALLS, lambda _: phone.exchange()),
            "add_us": timed(CALLS, lambda at: phone.add("person", {"identity.name": f"其其格{at}"})),
        }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
