"""What a script does with a phone, against a live server and beside the command line."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

import ortoo
from harness import (
    KEY_STORE,
    OTHER_UNIT,
    PIN,
    UNIT,
    field,
    figure_shape,
    shape,
    without_target,
)
from people import household, id_number, woman


def triples(problems):
    return [(one.code, one.key, one.message) for one in problems]


def test_enrolling_gives_a_device_of_the_unit_and_the_same_link_again_is_no_error(server, tmp_path):
    link = server.link(UNIT)
    first = ortoo.enrol(tmp_path / "a", KEY_STORE, link)
    assert first.pending_digits is None
    assert first.spaces == [f"{UNIT}.{of}" for of in ("general", "care", "referral")]
    again = ortoo.enrol(tmp_path / "a", KEY_STORE, link)
    assert again.device == first.device
    with ortoo.Phone.open(tmp_path / "a", KEY_STORE) as phone:
        status = phone.status()
    assert (status.device, status.spaces) == (first.device, first.spaces)
    assert status.server == server.url


def test_a_used_link_lets_no_second_device_in(server, tmp_path):
    link = server.link(UNIT)
    ortoo.enrol(tmp_path / "a", KEY_STORE, link)
    with pytest.raises(ortoo.WrongRequest) as raised:
        ortoo.enrol(tmp_path / "b", KEY_STORE, link)
    assert raised.value.codes == ("code_refused",)
    with pytest.raises(ortoo.WrongRequest) as raised:
        ortoo.enrol(tmp_path / "b", KEY_STORE, "no link")
    assert raised.value.codes == ("bad_link",)


def test_values_go_in_as_python_has_them_and_come_back_plain(enrolled):
    phone = enrolled("a")
    typed = {**woman(), "identity.birth_date": date(1985, 6, 7)}
    id = phone.add("person", {**typed, "background.literate": True, "identity.phone": None})
    item = phone.add_item(
        id,
        "care_needs",
        {"assessed_on": date(2025, 1, 2), "children_under_6": 2, "needs": ["02", "01"]},
    )
    shown = phone.show(id)
    assert shown.fields == {**woman(), "background.literate": True}
    assert shown.items["care_needs"] == [
        ortoo.Item(
            item, {"assessed_on": "2025-01-02", "children_under_6": 2, "needs": ["01", "02"]}
        )
    ]
    assert (shown.unit, shown.linked, shown.conflicts) == (UNIT, [], [])
    assert "required" in {problem.code for problem in shown.problems}
    for value in (1.5, b"x", object(), [1]):
        with pytest.raises(TypeError):
            phone.edit(id, {"identity.name": value})


def test_an_edit_counts_its_changes_and_none_empties_a_field(enrolled):
    phone = enrolled("a")
    id = phone.add("person", woman())
    assert phone.edit(id, {"identity.phone": "10012345678"}) == 1
    assert phone.edit(id, {"identity.phone": "10012345678"}) == 0
    assert phone.edit(id, {"identity.phone": None}) == 1
    assert "identity.phone" not in phone.show(id).fields
    written = [event.value for event in phone.history(id) if event.key == "identity.phone"]
    assert written == ["10012345678", None]


def test_checking_says_what_saving_and_the_command_line_say(enrolled, tmp_path):
    phone = enrolled("a", secret=PIN)
    wrong = {
        **woman(),
        "identity.birth_date": "2999-01-01",
        "identity.name": "长" * 61,
        "identity.phone": "1",
        "household.phone": "10012345678",
        "identity.nonsense": "1",
        "screening.cancer": "C",
        "screening.round": "2025",
        "screening.screened_on": "2999-01-01",
    }
    checked = phone.check_new("person", wrong)
    with pytest.raises(ortoo.WrongRequest) as raised:
        phone.add("person", wrong)
    saved = triples(raised.value.problems)
    assert len(saved) >= 6
    assert triples(checked.refused) == saved
    sets = [word for key, value in wrong.items() for word in ("--set", f"{key}={value}")]
    said = field(tmp_path / "a", "add", "person", *sets).error()
    assert [(one["code"], one["key"], one["message"]) for one in said["problems"]] == saved
    assert phone.list("person") == []


def test_checking_tells_what_is_asked_next_and_writes_nothing(enrolled):
    phone = enrolled("a")
    fresh = phone.check_new("person")
    assert fresh.refused == []
    assert "identity.name" in fresh.asked
    assert ("required", "identity.name") in {(one.code, one.key) for one in fresh.left}
    id = phone.add("person", woman())
    unsent = phone.status().unsent
    edit = phone.check_edit(id, {"identity.phone": "x"})
    assert [one.code for one in edit.refused] == ["bad_pattern"]
    one = phone.check_item(id, "service", {"given_on": "2025-01-02", "type": "A01"})
    other = phone.check_item(id, "service", {"given_on": "2025-01-02", "type": "00"})
    more = [key for key in one.asked if key not in other.asked]
    assert more == ["service.amount", "service.outcome"]
    assert phone.status().unsent == unsent


def test_messages_come_in_the_language_of_the_phone(enrolled):
    problems = {}
    for language in ("en", "zh"):
        phone = enrolled(language, language=language)
        with pytest.raises(ortoo.WrongRequest) as raised:
            phone.add("person", {"identity.birth_date": "2999-01-01"})
        problems[language] = raised.value.problems[0]
    assert problems["en"].code == problems["zh"].code == "future_date"
    assert "future" in problems["en"].message
    assert "日期" in problems["zh"].message
    with pytest.raises(ValueError):
        ortoo.Phone.open("nowhere", PIN, "mn")


def test_an_error_prints_codes_and_never_what_was_typed(enrolled):
    import traceback

    phone = enrolled("a")
    with pytest.raises(ortoo.WrongRequest) as raised:
        phone.add("person", {"identity.birth_date": "geheim", "identity.name": "长" * 61})
    assert str(raised.value) == "not_a_date, too_long"
    printed = "".join(traceback.format_exception(None, raised.value, raised.value.__traceback__))
    assert "not_a_date" in printed
    for typed in ("identity.birth_date:", "长长", '"geheim" is not'):
        assert typed not in printed
    assert any("geheim" in one.message for one in raised.value.problems)


def test_a_key_with_an_equals_sign_in_it_is_refused_and_writes_nothing(enrolled):
    phone = enrolled("a")
    id = phone.add("person", woman())
    with pytest.raises(ortoo.WrongRequest) as raised:
        phone.edit(id, {"identity.name=乌云": "x"})
    assert raised.value.codes == ("bad_key",)
    assert phone.show(id).fields["identity.name"] == "其其格"


def test_an_item_is_withdrawn_and_brought_back(enrolled):
    phone = enrolled("a")
    id = phone.add("person", woman())
    target = {"cancer": "C", "round": "2025", "on_target_list": True}
    item = phone.add_item(id, "screening", target)
    assert item == "C-2025"
    # The natural key names the item: this writes to it.
    assert phone.add_item(id, "screening", {**target, "notified_on": "2025-03-01"}) == item
    phone.void_item(id, "screening", item)
    assert phone.show(id).items == {}
    assert ("screening#C-2025.void", True) in {(e.key, e.value) for e in phone.history(id)}
    assert phone.edit(id, {"screening#C-2025.void": False}) == 1
    shown = phone.show(id).items["screening"]
    assert [one.fields["notified_on"] for one in shown] == ["2025-03-01"]
    with pytest.raises(ortoo.WrongRequest) as raised:
        phone.void_item(id, "screening", "B-2025")
    assert raised.value.codes == ("unknown_item",)


def test_lists_are_narrowed_by_register_and_search(enrolled):
    phone = enrolled("a")
    home = phone.add("household", household())
    ids = {}
    for at, (name, birth) in enumerate([("其其格", "1985-06-07"), ("Sara", "2015-01-02")]):
        id = phone.add("person", woman(name, birth, 124 + 2 * at))
        stays = {"since": "2020-01-01", "status": "1", "household": home}
        phone.add_item(id, "residence", stays)
        ids[name] = id
    assert {row.id for row in phone.list("person")} == set(ids.values())
    assert [row.id for row in phone.list("person", register="screening")] == [ids["其其格"]]
    assert [row.id for row in phone.list("person", search="sar")] == [ids["Sara"]]
    assert phone.list("person", register="screening", search="sar") == []
    assert [row.id for row in phone.list("household", "water_toilet")] == [home]
    assert all(row.items == {} for row in phone.list("person"))
    for register, code in (("water_toilet", "unknown_register"), ("x", "unknown_register")):
        with pytest.raises(ortoo.WrongRequest) as raised:
            phone.list("person", register=register)
        assert raised.value.codes == (code,)
    with pytest.raises(ValueError):
        phone.list("people")


def test_two_phones_settle_what_they_wrote_apart(enrolled, server):
    a, b = enrolled("a"), enrolled("b")
    id = a.add("household", household())
    a.exchange()
    b.exchange()
    a.edit(id, {"household.phone": "10011111111"})
    b.edit(id, {"household.phone": "10022222222", "household.resident_population": 5})
    a.exchange()
    b.exchange()
    a.exchange()
    conflicts = a.conflicts()
    assert conflicts == b.conflicts()
    assert [(one.record, one.key) for one in conflicts] == [(id, "household.phone")]
    values = conflicts[0].values
    assert sorted(values) == ["10011111111", "10022222222"]
    assert a.show(id).fields["household.phone"] == values[0]

    with pytest.raises(ortoo.WrongRequest) as raised:
        b.resolve(id, "household.phone", take=2)
    assert raised.value.codes == ("no_such_value",)
    for both in ({}, {"take": 0, "write": "1"}):
        with pytest.raises(TypeError):
            b.resolve(id, "household.phone", **both)
    b.resolve(id, "household.phone", take=1)
    b.exchange()
    a.exchange()
    for phone in (a, b):
        assert phone.conflicts() == []
        shown = phone.show(id).fields
        assert (shown["household.phone"], shown["household.resident_population"]) == (values[1], 5)
        with pytest.raises(ortoo.WrongRequest) as raised:
            phone.resolve(id, "household.phone", write="10033333333")
        assert raised.value.codes == ("no_conflict",)
    assert server.run("show", id).json() == shape(a.show(id), "household")


def test_a_conflict_is_settled_by_another_value_or_none(enrolled):
    a, b = enrolled("a"), enrolled("b")
    id = a.add("household", household())
    a.exchange()
    b.exchange()
    for write, shown in (("10033333333", "10033333333"), ("", None)):
        a.edit(id, {"household.phone": "10011111111"})
        b.edit(id, {"household.phone": "10022222222"})
        for phone in (a, b, a):
            phone.exchange()
        a.resolve(id, "household.phone", write=write)
        for phone in (a, b):
            phone.exchange()
            assert phone.conflicts() == []
            assert phone.show(id).fields.get("household.phone") == shown


def test_a_woman_registered_twice_is_one_row_until_a_number_is_corrected(enrolled):
    a, b = enrolled("a"), enrolled("b")
    first = a.add("person", woman("其其格"))
    second = b.add("person", woman("琪琪格"))
    for phone in (a, b, a):
        phone.exchange()
    for phone in (a, b):
        assert [row.id for row in phone.list("person")] == [min(first, second)]
        assert phone.show(first).linked == [second]
    b.edit(second, {"identity.id_no": id_number("1985-06-07", 126)})
    b.exchange()
    a.exchange()
    assert len(a.list("person")) == 2
    assert a.show(first).linked == []


def test_history_says_what_was_written_by_which_device(enrolled):
    a, b = enrolled("a"), enrolled("b")
    id = a.add("person", {**woman(), "identity.name": "其其格"})
    a.exchange()
    b.exchange()
    b.edit(id, {"identity.name": "琪琪格"})
    b.exchange()
    a.exchange()
    assert a.history(id) == b.history(id)
    names = [event for event in a.history(id) if event.key == "identity.name"]
    assert [event.value for event in names] == ["其其格", "琪琪格"]
    assert [event.device for event in names] == [a.status().device, b.status().device]
    assert all(event.author for event in names)
    assert names[0].time <= names[1].time


def test_tasks_and_figures_are_those_of_the_server_and_the_command_line(
    enrolled, server, tmp_path
):
    phone = enrolled("a", secret=PIN)
    home = phone.add("household", household())
    for at in range(6):
        id = phone.add("person", woman("其其格", f"19{70 + at}-06-07", 100 + 2 * at))
        phone.add_item(
            id, "residence", {"since": "2020-01-01", "status": "1", "household": home}
        )
        phone.add_item(id, "spouse_away", {"since": "2022-01", "reason": "1"})
        if at % 2:
            seen = {"cancer": "C", "round": "2024", "on_target_list": True}
            phone.add_item(id, "screening", {**seen, "screened_on": "2024-05-06", "proof": "1"})
    phone.add_item(
        home,
        "water",
        {"observed_on": "2025-05-06", "camp": "1", "source": "01", "users": 4, "quality": "3"},
    )
    phone.exchange()

    tasks = phone.tasks(365)
    printed = field(tmp_path / "a", "tasks", "--days", "365").json()
    assert [
        (one.record, one.label, one.unit, one.register, one.task, one.title.en, one.adds, one.due)
        for one in tasks
    ] == [
        (one["id"], one["label"], one["space"], one["register"], one["task"], one["title"],
         one["adds"], one["due"])
        for one in printed
    ]
    assert {one.task for one in tasks} >= {"care_visit", "cervical_screening", "toilet_visit"}
    assert tasks == sorted(tasks, key=lambda one: (one.due, one.record))
    today = date.today().isoformat()
    assert all(one.overdue == (one.due < today) for one in tasks if one.due != today)
    assert len(phone.tasks()) < len(tasks)

    figures = [figure_shape(one) for one in phone.indicators("every")]
    of_field = without_target(field(tmp_path / "a", "indicators", "--every-year").json())
    assert figures == of_field
    of_server = server.run("indicators", "--org", UNIT, "--every-year").json()
    assert sorted(figures, key=str) == sorted(without_target(of_server), key=str)
    assert sum(1 for one in figures if one["numerator"]) > 4

    plan = phone.plan()
    year = phone.indicators(plan.last_year)
    assert [one.year for one in year] == [plan.last_year] * len(plan.indicators)
    assert [one.indicator for one in year] == [one.key for one in plan.indicators]
    with pytest.raises(ortoo.WrongRequest) as raised:
        phone.indicators(1999)
    assert raised.value.codes == ("unknown_year",)
    with pytest.raises(ValueError):
        phone.indicators("all")


def test_a_figure_for_which_a_device_lacks_data_says_so_and_no_number(enrolled, server):
    phone = enrolled("a", f"{UNIT}.general")
    phone.add("person", woman())
    phone.exchange()
    lacking = [one for one in phone.indicators() if one.missing]
    assert {of for one in lacking for of in one.missing} == {"care", "referral"}
    for one in lacking:
        assert (one.numerator, one.denominator, one.unknown, one.value) == (None,) * 4
    assert len(lacking) < len(phone.indicators())
    with pytest.raises(ortoo.WrongRequest) as raised:
        phone.edit(phone.list("person")[0].id, {"condition.serious_illness": True})
    assert raised.value.codes == ("not_granted",)


def test_the_plan_is_enough_to_draw_a_form(enrolled):
    plan = enrolled("a").plan()
    assert [subject.key for subject in plan.subjects] == ["household", "organisation", "person"]
    sections = {one.key: one for subject in plan.subjects for one in subject.sections}
    assert (sections["identity"].repeats, sections["identity"].class_key) == (False, "general")
    screening = sections["screening"]
    assert (screening.named_by, screening.by_date) == (("cancer", "round"), "screened_on")
    fields = {one.key: one for one in sections["household"].fields}
    assert fields["resident_population"].kind == ortoo.Kind("integer", min=0, max=30)
    assert fields["main_camp"].kind == ortoo.Kind("choice", code_list="CL-CAMP")
    assert fields["main_camp"].hint.zh
    assert fields["status_since"].kind.or_month
    names = {field.kind.name for of in sections.values() for field in of.fields}
    assert names == {
        "text", "date", "integer", "bool", "choice", "choices", "reference", "point",
    }
    lists = {codes.key for codes in plan.code_lists}
    used = {field.kind.code_list for of in sections.values() for field in of.fields}
    assert used - {None} <= lists
    assert UNIT in {unit.code for unit in plan.units if unit.level == "gacha"}
    registers = {one.key: one for one in plan.registers}
    assert registers["screening"].columns[0].title.en == "Name"
    assert [one.adds for one in registers["left_behind"].tasks] == ["service"]
    assert {one.measure for one in plan.indicators} <= {
        "percent", "per_1000", "per_100k", "ratio", "count",
    }
    assert plan.first_year < plan.last_year


def test_a_device_of_two_units_must_be_told_which(enrolled):
    phone = enrolled("a", UNIT, OTHER_UNIT)
    with pytest.raises(ortoo.WrongRequest) as raised:
        phone.add("person", woman())
    assert raised.value.codes == ("which_unit",)
    assert phone.show(phone.add("person", woman(), unit=OTHER_UNIT)).unit == OTHER_UNIT
    with pytest.raises(ortoo.WrongRequest) as raised:
        phone.add("person", woman(), unit="152522999999")
    assert raised.value.codes == ("unit_not_held",)


def test_an_organisation_is_named_by_its_code(enrolled):
    phone = enrolled("a")
    phone.edit(UNIT, {"organisation.name": "测试嘎查"})
    shown = phone.show(UNIT)
    assert shown.fields == {"organisation.name": "测试嘎查"}
    assert [row.fields for row in phone.list("organisation")] == [shown.fields]


def test_an_exchange_tells_its_progress_and_what_it_moved(enrolled):
    a, b = enrolled("a"), enrolled("b")
    for at in range(5):
        a.add("person", woman(sequence=200 + 2 * at))
    assert a.status().unsent == 5
    seen = []
    report = a.exchange(seen.append)
    assert seen[-1].moved == report
    assert seen[-1].unsent == 0
    assert (report.batches_up > 0, report.refused, report.stash_full) == (True, [], False)
    assert len(seen) == report.round_trips
    assert b.exchange().batches_down == report.batches_up
    status = a.status()
    assert (status.unsent, status.waiting) == (0, 0)
    assert status.last_exchange and not status.clock_is_off
    nothing = a.exchange()
    assert (nothing.batches_up, nothing.batches_down) == (0, 0)


def test_what_a_progress_callback_raises_comes_up_after_the_exchange(enrolled):
    phone = enrolled("a")
    phone.add("person", woman())

    def fails(progress):
        raise RuntimeError("the script's own mistake")

    with pytest.raises(RuntimeError, match="own mistake"):
        phone.exchange(fails)
    assert phone.status().unsent == 0


def test_without_a_server_nothing_is_lost(enrolled, server):
    phone = enrolled("a")
    id = phone.add("person", woman())
    server.stop()
    with pytest.raises(ortoo.NoConnection) as raised:
        phone.exchange()
    assert raised.value.codes == ("no_connection",)
    assert phone.show(id).fields["identity.name"] == "其其格"
    assert phone.status().unsent == 1
    with pytest.raises(ortoo.WrongRequest) as raised:
        phone.set_server("nonsense")
    assert raised.value.codes == ("bad_address",)


def test_diagnostics_name_nobody(enrolled, server):
    phone = enrolled("a")
    planted = {**woman("斯琴高娃其人"), "identity.phone": "10099988877"}
    id = phone.add("person", planted)
    phone.exchange()
    text = phone.diagnostics()
    lines = dict(line.split(": ", 1) for line in text.splitlines())
    assert (lines["version"], lines["records_general"], lines["unsent"]) == ("0.1.0", "1", "0")
    assert lines["device"] == phone.status().device
    for planted in [*planted.values(), id, UNIT, server.url, "identity", "127.0.0.1"]:
        if planted not in ("2", "01"):
            assert planted not in text


def test_a_phone_is_wiped_only_when_nothing_would_be_lost_or_somebody_says_so(enrolled, tmp_path):
    phone = enrolled("a")
    phone.add("person", woman())
    with pytest.raises(ortoo.WrongRequest) as raised:
        phone.wipe()
    assert raised.value.codes == ("unsent_changes",)
    phone.exchange()
    phone.wipe()
    with pytest.raises(ortoo.StoreError) as raised:
        phone.status()
    assert raised.value.codes == ("phone_locked",)
    assert list((tmp_path / "a").iterdir()) == []

    other = enrolled("b")
    other.add("person", woman())
    other.wipe(lose_unsent=True)
    assert list((tmp_path / "b").iterdir()) == []
    third = enrolled("c")
    third.lock()
    ortoo.wipe(tmp_path / "c")
    ortoo.wipe(tmp_path / "c")
    with pytest.raises(ortoo.StoreError) as raised:
        ortoo.Phone.open(tmp_path / "c", KEY_STORE)
    assert raised.value.codes == ("store_missing",)


def test_leaving_the_with_locks_the_phone(enrolled, tmp_path):
    enrolled("a").lock()
    with ortoo.Phone.open(tmp_path / "a", KEY_STORE) as phone:
        id = phone.add("person", woman())
    calls = [
        lambda: phone.show(id),
        lambda: phone.list("person"),
        lambda: phone.add("person", woman()),
        lambda: phone.wipe(True),
        phone.plan,
        phone.status,
        phone.exchange,
    ]
    for call in calls:
        with pytest.raises(ortoo.StoreError) as raised:
            call()
        assert raised.value.codes == ("phone_locked",)
    with ortoo.Phone.open(tmp_path / "a", KEY_STORE) as phone:
        assert phone.show(id).id == id


def test_the_script_of_the_readme_does_what_it_says(server, tmp_path):
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    script = readme.split("```python\n")[1].split("```")[0]
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a"), PIN, server.link(UNIT)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONUTF8": "1"},
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "其其格"
    assert "0 still to send" in lines
    assert len(server.run("records").json()) == 1
