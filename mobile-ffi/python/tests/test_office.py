"""What the office orders, and what it makes of a phone."""

import random
import shutil

import pytest

import ortoo
from harness import KEY_STORE, UNIT, Stalling, carried
from people import woman


def refused(code, call, *args):
    """The call must be refused with this code."""
    with pytest.raises(ortoo.WrongRequest) as raised:
        call(*args)
    assert raised.value.codes == (code,)


def test_what_was_written_on_an_erased_record_is_kept_until_its_author_decides(server, enrolled):
    a, b = enrolled("a"), enrolled("b")
    her, other = (a.add("person", {"identity.name": name}) for name in ("其其格", "娜仁"))
    for phone in (a, b):
        phone.exchange()
    b.edit(her, {"identity.name": "斯琴高娃", "background.literate": True})
    b.edit(other, {"identity.phone": "10012345678"})
    server.order("erase", her, other)
    for phone in (a, b):
        phone.exchange()
        assert phone.list("person") == []
        refused("unknown_record", phone.show, her)
    assert (a.status().kept, a.kept()) == (0, [])
    assert b.status().kept == 2
    kept = {one.record: one for one in b.kept()}
    assert kept == {
        her: ortoo.KeptEdit(
            her, UNIT, {"background.literate": True, "identity.name": "斯琴高娃"}
        ),
        other: ortoo.KeptEdit(other, UNIT, {"identity.phone": "10012345678"}),
    }

    anew = b.register_kept(her)
    assert anew not in (her, other)
    b.drop_kept(other)
    assert b.status().kept == 0
    for record in (her, other):
        refused("nothing_kept", b.register_kept, record)
        refused("nothing_kept", b.drop_kept, record)
    refused("bad_id", b.register_kept, "p0")
    for phone in (b, a):
        phone.exchange()
        assert [row.id for row in phone.list("person")] == [anew]
        assert phone.show(anew).fields == kept[her].values
    assert server.run("verify").json()["different"] == 0


def test_new_keys_make_another_device_that_loses_nothing_and_exchanges_on(server, enrolled):
    a, b = enrolled("a"), enrolled("b")
    before = a.status().device
    ids = {a.add("person", woman())}
    rounds = []
    report = a.renew_keys(rounds.append)
    assert report.batches_up > 0 and rounds[-1].moved == report
    assert before != report.renewed == a.status().device
    ids.add(a.add("person", {"identity.name": "娜仁"}))
    assert a.exchange().renewed is None
    assert a.status().unsent == 0
    b.exchange()
    assert {row.id for row in b.list("person")} == ids
    assert server.run("verify").json()["different"] == 0


def test_asking_for_new_keys_holds_nobody_up_and_waits_for_the_next_exchange(server, enrolled):
    a = enrolled("a")
    id, before = a.add("person", woman()), a.status().device
    stalling = Stalling(server, 100)
    a.set_server(stalling.url)
    renewal = a.start_renewal()
    assert stalling.has_stalled.wait(20)
    assert renewal.is_running
    assert a.show(id).id == id
    refused("exchange_running", a.start_exchange)
    renewal.cancel()
    with pytest.raises(ortoo.Cancelled):
        renewal.wait(20)
    stalling.close()
    assert a.status().device == before

    a.set_server(server.url)
    renewed = a.exchange().renewed
    assert before != renewed == a.status().device
    with ortoo.Phone.open(server.data.parent / "a", KEY_STORE) as again:
        assert again.status().device == renewed


def test_two_phones_with_the_keys_of_one_hear_of_it_by_their_exchanges(server, enrolled, tmp_path):
    a = enrolled("a")
    before = a.status().device
    a.lock()
    shutil.copytree(tmp_path / "a", tmp_path / "twin")
    phones = [ortoo.Phone.open(tmp_path / name, KEY_STORE) for name in ("a", "twin")]
    renewed = set()
    for number in range(4):
        for phone in phones:
            phone.add("person", {"identity.name": f"乌云{number}"})
            renewed.add(phone.exchange().renewed)
    devices = {phone.status().device for phone in phones}
    assert len(devices) == 2 and before not in devices
    assert renewed == devices | {None}
    for phone in phones * 2:
        phone.exchange()
    for phone in phones:
        assert len(phone.list("person")) == 8
        phone.lock()


def test_a_phone_that_the_office_orders_wiped_hands_over_and_says_so(server, enrolled, tmp_path):
    a = enrolled("a")
    id = a.add("person", woman())
    server.order("wipe", a.status().device)
    assert a.show(id).id == id
    for call in (a.exchange, a.status, a.exchange):
        with pytest.raises(ortoo.Wiped) as raised:
            call()
        assert raised.value.codes == ("wiped",)
    assert "office" in raised.value.problems[0].message
    assert server.run("show", id).json()["fields"]["identity.name"] == "其其格"
    assert list((tmp_path / "a").iterdir()) == []
    with pytest.raises(ortoo.StoreError) as missing:
        ortoo.Phone.open(tmp_path / "a", KEY_STORE)
    assert missing.value.codes == ("store_missing",)
    # Whoever goes on working enrols anew, in the same place.
    enrolled("a").exchange()


def test_a_phone_that_has_too_much_for_one_message_stays_until_it_was_carried(
    server, enrolled, tmp_path
):
    a = enrolled("a")
    some = random.Random(1)
    # Nothing that packing makes smaller.
    signs = [chr(sign) for sign in range(0x20000, 0x2A6D0)]
    visit = {"given_on": "2025-01-02", "type": "00"}
    women = [a.add("person", {"identity.name": f"牧民{number}"}) for number in range(10)]
    items = {id: [a.add_item(id, "service", visit) for _ in range(8)] for id in women}
    for _ in range(100):
        for id in women:
            noise = {item: "".join(some.choices(signs, k=200)) for item in items[id]}
            a.edit(id, {f"service#{item}.content": noise[item] for item in noise})
    server.order("wipe", a.status().device)
    refused("too_much_to_hand_over", a.exchange)
    # Nothing has changed, and nothing is kept from the user.
    assert a.status().unsent > 0
    assert len(a.list("person")) == 10
    left = True
    while left:
        made = a.export_bundle(bytes_max=2_000_000)
        a.import_bundle(carried(server, tmp_path, made.bytes))
        left = made.left > 0
    assert a.status().unsent == 0
    shown = {id: a.show(id).items for id in women}
    with pytest.raises(ortoo.Wiped):
        a.exchange()
    for id in women[:2]:
        printed = server.run("show", id).json()["items"]["service"]
        assert {one["content"] for one in printed} == {
            item.fields["content"] for item in shown[id]["service"]
        }
