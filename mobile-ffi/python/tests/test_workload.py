"""Four phones, each in a process of its own, write at random, are offline, are killed, and exchange
at random. In the end all show the same as the server, and nothing is lost that was reported saved.

``ORTOO_SEED`` repeats a run as far as the moments of kills allow, ``ORTOO_STEPS`` makes it longer.
"""

import json
import os
import random
import select
import subprocess
import sys
from collections import Counter
from pathlib import Path

import ortoo
from harness import KEY_STORE, OTHER_UNIT, UNIT, figure_shape, shape, without_target
from people import FEMALE, MALE, household, id_number

SEED = int(os.environ.get("ORTOO_SEED", "20260704"))
STEPS = int(os.environ.get("ORTOO_STEPS", "1400"))
PHONES = 4
SETTLE_ROUNDS_MAX = 12
UNITS = (UNIT, OTHER_UNIT)
CADRE = {"general", "care", "referral"}
REFUSALS = {"check_failed", "id_number_sex", "id_number_birth", "code_alone", "record_changed"}
"""What a random write may be refused for: rules between fields. Nothing has changed then."""


USUAL = {
    "identity.sex": "2",
    "identity.deceased_on": None,
    "residence.status": "1",
    "household.area_type": "1",
    "household.residence_status": "1",
    "screening.on_target_list": True,
}
"""What stands in most forms of a village: figures count women who live there."""


class Killed(Exception):
    """The worker ended before it answered."""


class Remote:
    """A phone in a process of its own."""

    def __init__(self, name, directory):
        self.name, self.directory = name, directory
        self.device = None
        self.exchanging = False
        self.online = True
        self.saves = []
        """What was reported saved: ``(record, key, value)``."""
        self.own = []
        """The same, where it is known that this phone wrote it."""
        self.known = []
        """The records that this phone holds, in the order in which the driver heard of them."""
        self.start()

    def start(self):
        worker = Path(__file__).with_name("worker.py")
        self.process = subprocess.Popen(
            [sys.executable, str(worker), str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(worker.parents[1])},
        )
        self.exchanging = False
        self.answer()
        status = self.call("status")
        assert status["unreadable_rows"] == 0
        self.device = status["device"]

    def send(self, method, *args, **keywords):
        self.process.stdin.write((json.dumps([method, args, keywords]) + "\n").encode())
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line.endswith(b"\n"):
            raise Killed
        return json.loads(line)

    def ask(self, method, *args, **keywords):
        self.send(method, *args, **keywords)
        return self.answer()

    def call(self, method, *args, **keywords):
        answer = self.ask(method, *args, **keywords)
        assert "value" in answer, (self.name, method, answer)
        return answer["value"]

    def kill_within(self, seconds):
        """SIGKILL after so long, or as soon as it has answered; gives the answer if it came."""
        select.select([self.process.stdout], [], [], seconds)
        self.process.kill()
        try:
            return self.answer()
        except Killed:
            return None
        finally:
            self.stop()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Forms:
    """Random values that the plan allows, as a form would give them."""

    def __init__(self, plan, draw):
        self.draw = draw
        self.lists = {of.key: [one.code for one in of.codes] for of in plan.code_lists}
        self.sections = {
            subject.key: [one for one in subject.sections if one.class_key in CADRE]
            for subject in plan.subjects
        }

    def value(self, section, field, households):
        draw, kind, whole = self.draw, field.kind, f"{section.key}.{field.key}"
        if draw.random() < 0.06 and field.key not in section.named_by:
            return None
        if whole in USUAL and draw.random() < 0.75:
            return USUAL[whole]
        if whole == "identity.birth_date":
            return self.birth()
        if whole in ("identity.phone", "household.phone", "organisation.phone"):
            return f"100{draw.randrange(10**8):08}"
        if field.key == "round":
            return draw.choice(["2023", "2024", "2025", "2025-2"])
        if whole == "household.household_no":
            return f"{draw.randrange(10**4):04}"
        if whole == "identity.id_no":
            return id_number(f"19{draw.randrange(50, 90)}-06-07", draw.randrange(100, 120))
        if kind.name == "text":
            return draw.choice(FEMALE + MALE) + draw.choice(["", "乙", " (2)"])
        if kind.name == "date":
            day = f"{draw.randrange(2019, 2026)}-{draw.randrange(1, 13):02}"
            return day if kind.or_month and draw.random() < 0.3 else f"{day}-{draw.randrange(1, 29):02}"
        if kind.name == "integer":
            return draw.randint(kind.min, min(kind.max, kind.min + 20))
        if kind.name == "bool":
            return draw.random() < 0.5
        if kind.name == "choice":
            return draw.choice(self.lists[kind.code_list])
        if kind.name == "choices":
            codes = self.lists[kind.code_list]
            return sorted(draw.sample(codes, draw.randrange(1, min(4, len(codes)))))
        if kind.name == "reference":
            return draw.choice(households) if households else None
        return f"{draw.randrange(430, 440) / 10},{draw.randrange(1130, 1140) / 10}"

    def fields(self, section, households, most):
        """A random choice of a section's fields, those that name an item among them."""
        chosen = self.draw.sample(section.fields, min(most, len(section.fields)))
        named = [one for one in section.fields if one.key in section.named_by and one not in chosen]
        values = {one.key: self.value(section, one, households) for one in chosen + named}
        if section.by_date and values.get(section.by_date) is None:
            dated = next(one for one in section.fields if one.key == section.by_date)
            values[section.by_date] = self.value(section, dated, households)
        return values

    def single(self, subject):
        return [one for one in self.sections[subject] if not one.repeats]

    def repeating(self, subject):
        return [one for one in self.sections[subject] if one.repeats]

    def residence(self, homes):
        """Where somebody has lived for long: figures count residents."""
        section = next(one for one in self.repeating("person") if one.key == "residence")
        fields = {"since": "2015-03-01", "status": "1", "info_source": "01"}
        return section, {**fields, "household": self.draw.choice(homes)}

    def birth(self):
        """Of somebody whom the figures may count: of the age of screenings through all years."""
        return f"19{self.draw.randrange(60, 66)}-0{self.draw.randrange(1, 4)}-07"

    def person(self):
        """A woman mostly, out of few numbers: the same one is registered again and again."""
        draw = self.draw
        female = draw.random() < 0.85
        birth = self.birth()
        values = {
            "identity.name": draw.choice(FEMALE if female else MALE),
            "identity.sex": "2" if female else "1",
            "identity.birth_date": birth,
        }
        if draw.random() < 0.7:
            number = id_number(birth, 100 + (0 if female else 1) + 2 * draw.randrange(2))
            values.update({"identity.id_type": "01", "identity.id_no": number})
        return values


def written(section, item, values):
    """What a saved form leaves in the history: a multi-choice is a yes for each of its codes."""
    place = section if item is None else f"{section}#{item}"
    for field, value in values.items():
        if isinstance(value, list):
            yield from ((f"{place}.{field}/{code}", True) for code in value)
        elif value is not None:
            yield f"{place}.{field}", value


class Run:
    """A run of the workload."""

    def __init__(self, server, remotes, forms, draw):
        self.server, self.remotes, self.forms, self.draw = server, remotes, forms, draw
        self.counts = Counter()
        self.items = {}
        """The items of records, in the order in which the driver heard of them."""

    # Steps

    def step(self):
        remote = self.draw.choice(self.remotes)
        steps = {
            self.add: 5,
            self.edit: 9,
            self.item: 9,
            self.void: 2,
            self.resolve: 3,
            self.wrong: 1,
            self.exchange: 5,
            self.go_off_or_on: 1,
            self.kill: 2,
        }
        chosen = self.draw.choices(list(steps), weights=list(steps.values()))[0]
        chosen(remote)

    def add(self, remote, killed_within=None):
        subject = self.draw.choices(["person", "household"], weights=[4, 1])[0]
        values = self.forms.person() if subject == "person" else household()
        section = None
        homes = self.of(remote, "h")
        if subject == "person" and homes and self.draw.random() < 0.6:
            section, fields = self.forms.residence(homes)
        elif self.draw.random() < 0.3:
            section = self.draw.choice(self.forms.repeating(subject))
            fields = self.forms.fields(section, homes, 4)
        if section is not None:
            values = {**values, **{f"{section.key}.{key}": one for key, one in fields.items()}}
        unit = self.draw.choice(UNITS)
        id = self.save(remote, killed_within, "add", subject, values, unit)
        if id is None:
            return
        remote.known.append(id)
        for key, value in values.items():
            if section is None or not key.startswith(f"{section.key}."):
                part, _, field = key.partition(".")
                self.keep(remote, id, written(part, None, {field: value}), own=True)

    def edit(self, remote, killed_within=None):
        id = self.pick(remote)
        if id is None:
            return self.add(remote, killed_within)
        section = self.draw.choice(self.forms.single(subject_of(id)))
        most = self.draw.choice([1, 1, 1, 2, 3])
        fields = self.forms.fields(section, self.of(remote, "h"), most)
        values = {f"{section.key}.{key}": value for key, value in fields.items()}
        changes = self.save(remote, killed_within, "edit", id, values)
        if changes is not None:
            # Of several values some may have stood there already, written by another phone.
            own = changes > 0 and len(values) == 1
            self.keep(remote, id, written(section.key, None, fields), own)

    def item(self, remote, killed_within=None):
        id = self.pick(remote)
        if id is None:
            return self.add(remote, killed_within)
        section = self.draw.choice(self.forms.repeating(subject_of(id)))
        fields = self.forms.fields(section, self.of(remote, "h"), 4)
        item = self.save(remote, killed_within, "add_item", id, section.key, fields)
        if item is not None:
            self.keep(remote, id, written(section.key, item, fields))
            items = self.items.setdefault(id, [])
            if (section.key, item) not in items:
                items.append((section.key, item))

    def void(self, remote, killed_within=None):
        withdrawn = [id for id in remote.known if self.items.get(id)]
        if not withdrawn:
            return self.item(remote, killed_within)
        id = self.draw.choice(withdrawn)
        section, item = self.draw.choice(self.items[id])
        if self.draw.random() < 0.6:
            done = self.save(
                remote, killed_within, "void_item", id, section, item, may={"unknown_item"}
            )
            if done is not None:
                self.keep(remote, id, [(f"{section}#{item}.void", True)])
        else:
            key = f"{section}#{item}.void"
            done = self.save(remote, killed_within, "edit", id, {key: False}, may={"unknown_item"})
            if done is not None:
                self.keep(remote, id, [(key, False)])

    def resolve(self, remote, killed_within=None):
        conflicts = remote.call("conflicts")
        if not conflicts:
            return self.edit(remote, killed_within)
        # An exchange under way may have brought records that nobody has looked for yet.
        self.learn(remote)
        conflicts.sort(key=lambda one: (remote.known.index(one["record"]), one["key"]))
        one = self.draw.choice(conflicts)
        at = self.draw.randrange(len(one["values"]))
        # What an exchange under way brings in between may have settled it, or listed another value.
        may = {"no_conflict", "no_such_value"} if remote.exchanging else frozenset()
        done = self.save(
            remote, killed_within, "resolve", one["record"], one["key"], take=at, may=may
        )
        if done is not None:
            self.counts["settled"] += 1
            value = one["values"][at]
            if value is not None and not remote.exchanging:
                self.keep(remote, one["record"], [(one["key"], value)])

    def wrong(self, remote, killed_within=None):
        """A wrong request is refused and changes nothing."""
        before = remote.call("status")["unsent"] if not remote.exchanging else None
        values = {**self.forms.person(), "identity.birth_date": "2999-01-01"}
        answer = remote.ask("add", "person", values, UNIT)
        assert answer["error"] == "WrongRequest" and "future_date" in answer["codes"], answer
        if before is not None:
            assert remote.call("status")["unsent"] == before
        self.counts["wrong"] += 1

    def exchange(self, remote):
        """Starts an exchange or waits for the end of the one under way; writes go on meanwhile."""
        if remote.exchanging:
            self.finish(remote)
        elif remote.online:
            remote.call("start_exchange")
            remote.exchanging = True
            if self.draw.random() < 0.4:
                self.finish(remote)

    def finish(self, remote):
        answer = remote.ask("finish_exchange")
        remote.exchanging = False
        assert "value" in answer or answer["error"] == "NoConnection", answer
        if "value" in answer:
            assert answer["value"]["refused"] == []
            self.counts["exchanges"] += 1
        self.learn(remote)
        return answer.get("value")

    def go_off_or_on(self, remote):
        if remote.exchanging:
            self.finish(remote)
        remote.online = not remote.online
        if self.draw.random() < 0.25:
            # The office's machine loses power now and then.
            self.server.kill_and_restart()
            self.counts["server killed"] += 1

    def kill(self, remote):
        """Kills a phone in mid-save, in mid-exchange or while it waits, and starts it again."""
        seconds = self.draw.choice([0, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032])
        moment = self.draw.choice(["save", "save", "exchange", "exchange", "rest"])
        if moment == "save":
            write = self.draw.choice([self.add, self.edit, self.item])
            write(remote, seconds)
        elif moment == "exchange":
            if not remote.exchanging:
                remote.send("exchange")
            self.counts["killed in exchange"] += remote.kill_within(seconds * 3) is None
        if remote.process.returncode is None:
            remote.stop()
        self.counts["killed"] += 1
        remote.start()
        self.learn(remote)
        lost = self.lost(remote, remote.own[-40:], own=True)
        assert lost == [], f"{remote.name} lost what it had saved"

    # What steps share

    def save(self, remote, killed_within, method, *args, may=frozenset(), **keywords):
        """A write: what it gave, or ``None`` if it was refused or not heard of any more. A call that
        gives nothing gives ``True`` here."""
        remote.send(method, *args, **keywords)
        if killed_within is None:
            answer = remote.answer()
        else:
            answer = remote.kill_within(killed_within)
            self.counts["killed in save"] += answer is None
        if answer is None:
            return None
        if "error" in answer:
            assert answer["error"] == "WrongRequest", (method, args, answer)
            assert set(answer["codes"]) <= REFUSALS | may, (method, args, answer)
            self.counts["refused"] += 1
            return None
        self.counts["saved"] += 1
        return True if answer["value"] is None else answer["value"]

    def keep(self, remote, id, pairs, own=False):
        for key, value in pairs:
            remote.saves.append((id, key, value))
            if own:
                remote.own.append((id, key, value))

    def learn(self, remote):
        """What this phone holds now; what came in or was saved before a kill is new."""
        held = remote.call("known")
        known = set(remote.known)
        remote.known += [id for id in held if id not in known]
        assert set(remote.known) <= set(held), f"{remote.name} lost records"

    def pick(self, remote):
        """A record to write to: one of the few that everybody writes to, or any."""
        if not remote.known:
            return None
        if self.draw.random() < 0.5:
            return remote.known[self.draw.randrange(min(8, len(remote.known)))]
        return self.draw.choice(remote.known)

    def of(self, remote, prefix):
        return [id for id in remote.known if id.startswith(prefix)]

    def lost(self, remote, saves, own=False, writer=None):
        """What of this is not in the histories that a phone shows."""
        histories = remote.call("histories", sorted({id for id, _, _ in saves}))
        device = (writer or remote).device if own else None
        seen = {
            id: {(key, json.dumps(value), device and by) for key, value, by in events}
            for id, events in histories.items()
        }
        return [
            one for one in saves if (one[1], json.dumps(one[2]), device) not in seen[one[0]]
        ]

    def settle(self):
        """Everybody exchanges until nothing moves any more."""
        for remote in self.remotes:
            if remote.exchanging:
                self.finish(remote)
            remote.online = True
        for _ in range(SETTLE_ROUNDS_MAX):
            moved = 0
            for remote in self.remotes:
                report = remote.call("exchange")
                assert (report["refused"], report["stash_full"]) == ([], False)
                moved += report["batches_up"] + report["batches_down"]
            if moved == 0:
                return
        raise AssertionError("the phones never come to rest")


def subject_of(id):
    return {"p": "person", "h": "household"}[id[0]]


def test_whatever_four_phones_do_and_whenever_they_are_killed_all_end_up_the_same(
    server, tmp_path
):
    print(f"ORTOO_SEED={SEED} ORTOO_STEPS={STEPS}")
    draw = random.Random(SEED)
    remotes = []
    try:
        for at in range(PHONES):
            directory = tmp_path / f"phone-{at}"
            ortoo.enrol(directory, KEY_STORE, server.link(*UNITS))
            with ortoo.Phone.open(directory, KEY_STORE) as phone:
                phone.exchange()
                plan = phone.plan()
            remotes.append(Remote(f"phone-{at}", directory))
        run = Run(server, remotes, Forms(plan, draw), draw)
        for _ in range(STEPS):
            run.step()
        run.settle()
        the_office_decides(server)
        run.settle()
        print(dict(run.counts))
        all_is_the_same(server, run)
        # The workload is one: every kind of step was taken, and most writes were good.
        kinds = ("exchanges", "killed in save", "killed in exchange", "settled", "refused", "wrong")
        for kind in kinds:
            assert run.counts[kind] > 0, kind
        assert run.counts["saved"] > 2 * run.counts["refused"]
    finally:
        for remote in remotes:
            remote.stop()


def the_office_decides(server):
    """Persons with one number in two units are one person: until then the phones count both."""
    pairs = server.run("duplicates").json()
    for pair in pairs:
        server.run("same-person", *pair["records"]).json()
    assert all(pair["said"] == "same" for pair in server.run("duplicates").json())


def all_is_the_same(server, run):
    remotes = run.remotes
    for remote in remotes:
        status = remote.call("status")
        assert (status["unsent"], status["waiting"]) == (0, 0), remote.name
    views = [remote.call("everything") for remote in remotes]
    for remote, view in zip(remotes, views):
        for part in view:
            assert view[part] == views[0][part], (part, remote.name)
    for remote in remotes:
        for shower in (remote, remotes[0]):
            assert run.lost(shower, remote.saves) == [], (remote.name, shower.name)
            assert run.lost(shower, remote.own, own=True, writer=remote) == []
    assert_the_server_shows(server, views[0])


def assert_the_server_shows(server, view):
    rows = server.run("records").json()
    shown = [
        shape(record(row), subject, with_items=False)
        for subject, rows in view["lists"].items()
        for row in rows
    ]
    by_id = lambda row: row["id"]
    assert sorted(rows, key=by_id) == sorted(shown, key=by_id)
    # One process each, so not all; the richest ones.
    richest = sorted(view["shown"], key=lambda id: -len(str(view["shown"][id])))[:20]
    for id in richest:
        assert server.run("show", id).json() == shape(record(view["shown"][id]), subject_of(id))

    figures = [figure_shape(ortoo.Figure(**one)) for one in view["figures"]]
    assert figures and not any("missing" in one for one in figures)
    said = [
        one
        for unit in UNITS
        for one in without_target(
            server.run("indicators", "--org", unit, "--every-year").json()
        )
    ]
    assert sorted(said, key=str) == sorted(figures, key=str)
    # Not a comparison of zeros.
    assert sum(1 for one in figures if one["numerator"]) > 5
    verified = server.run("verify").json()
    assert (verified["different"], verified["forks"]) == (0, 0), verified
    server.run("verify-cells").json()


def record(printed):
    """A record as a worker printed it."""
    return ortoo.Record(
        **{
            **printed,
            "items": {
                section: [ortoo.Item(**item) for item in items]
                for section, items in printed["items"].items()
            },
            "conflicts": [ortoo.Conflict(**one) for one in printed["conflicts"]],
            "problems": [ortoo.Problem(**one) for one in printed["problems"]],
        }
    )
