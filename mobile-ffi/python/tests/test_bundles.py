"""What travels in somebody's bag, and what is said of two records."""

import pytest

import ortoo
from harness import OTHER_UNIT, PIN, carried
from people import woman


def test_a_bundle_reaches_the_server_and_its_answer_acknowledges_it(server, enrolled, tmp_path):
    a, b = enrolled("a"), enrolled("b")
    a.exchange()
    other = b.add("person", woman("娜仁"))
    b.exchange()
    id = a.add("person", woman())
    bundle = a.export_bundle()
    assert (bundle.batches, bundle.left) == (1, 0)
    assert "其其格".encode() not in bundle.bytes
    assert a.status().unsent == 1
    back = carried(server, tmp_path, bundle.bytes)
    assert server.run("show", id).json()["fields"]["identity.name"] == "其其格"
    report = a.import_bundle(back)
    assert (report.batches, report.refused, report.stash_full) == (1, [], False)
    assert report.acknowledged > 0
    assert a.status().unsent == 0
    assert a.show(other).fields["identity.name"] == "娜仁"
    # The same one again brings nothing, and a neighbour reads it too.
    assert a.import_bundle(back).batches == 0
    assert b.import_bundle(bundle.bytes).batches == 1
    assert b.show(id).fields["identity.name"] == "其其格"


def test_a_courier_of_another_unit_reads_nothing_and_a_torn_file_changes_nothing(enrolled):
    a, elsewhere = enrolled("a"), enrolled("c", OTHER_UNIT)
    a.add("person", woman())
    bundle = a.export_bundle().bytes
    for bytes, code in (
        (bundle, "bundle_not_for_us"),
        (b"PK\x03\x04", "bundle_shape"),
        (b"", "bundle_shape"),
    ):
        with pytest.raises(ortoo.WrongRequest) as raised:
            elsewhere.import_bundle(bytes)
        assert raised.value.codes == (code,)
    assert elsewhere.list("person") == []
    with pytest.raises(TypeError):
        a.import_bundle("not bytes")


def test_short_messages_stay_in_their_size_until_all_is_there(server, enrolled, tmp_path):
    a = enrolled("a")
    ids = set()
    for number in range(120):
        herder = {"identity.name": f"牧民{number}", "identity.phone": f"1000000{number:04}"}
        ids.add(a.add("person", herder))
    with pytest.raises(ortoo.WrongRequest) as raised:
        a.export_bundle(bytes_max=20, short=True)
    assert raised.value.codes == ("bundle_too_small",)
    messages, left = 0, True
    while left:
        made = a.export_bundle(short=True)
        assert len(made.bytes) <= 1750
        a.import_bundle(carried(server, tmp_path, made.bytes))
        messages, left = messages + 1, made.left > 0
    assert 1 < messages < 8
    assert a.status().unsent == 0
    assert {row["id"] for row in server.run("records").json()} == ids


def test_everything_is_for_a_phone_that_has_seen_neither(enrolled):
    a, b = enrolled("a"), enrolled("b")
    a.exchange()
    id = a.add("person", woman())
    a.exchange()
    assert a.export_bundle().batches == 0
    assert b.import_bundle(a.export_bundle(everything=True).bytes).batches == 1
    assert b.show(id).fields["identity.name"] == "其其格"


def test_the_outbox_of_a_store_whose_pin_is_forgotten_loses_nothing(server, enrolled, tmp_path):
    a = enrolled("a", secret=PIN)
    assert ortoo.outbox(tmp_path / "a") is None
    id = a.add("person", woman())
    a.lock()
    box = ortoo.outbox(tmp_path / "a", "zh")
    assert box.parts == 1
    assert "其其格".encode() not in box.bytes
    carried(server, tmp_path, box.bytes)
    assert server.run("show", id).json()["fields"]["identity.name"] == "其其格"
    with pytest.raises(ortoo.StoreError) as raised:
        ortoo.outbox(tmp_path / "nowhere")
    assert raised.value.codes == ("store_missing",)


def test_two_records_are_one_woman_until_somebody_parts_them(enrolled):
    a, b = enrolled("a"), enrolled("b")
    one = a.add("person", woman("其其格"))
    other = b.add("person", woman("琪琪格"))
    for phone in (a, b, a):
        phone.exchange()
    # One number and two names: somebody has to say whether it is she.
    assert [open.key for open in a.conflicts()] == ["identity.name"]
    said = b.link(one, other)
    assert said == ortoo.Linked(one, [other], [])
    for phone in (b, a):
        phone.exchange()
    assert a.conflicts() == []
    assert [row.linked for row in a.list("person")] in ([[one]], [[other]])
    assert a.unlink(other, one) == ortoo.Linked(other, [], [])
    for phone in (a, b):
        phone.exchange()
        assert {row.id for row in phone.list("person")} == {one, other}


def test_what_cannot_be_linked_is_refused_and_says_why(enrolled):
    a = enrolled("a")
    id = a.add("person", woman())
    home = a.add("household", {"household.household_no": "0101"})
    for other, code in ((id, "same_record"), (home, "not_a_person"), ("p0", "bad_id")):
        with pytest.raises(ortoo.WrongRequest) as raised:
            a.link(id, other)
        assert raised.value.codes == (code,)
