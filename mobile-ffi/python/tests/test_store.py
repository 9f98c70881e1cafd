"""What opens a store, what does not, and what that says."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

import ortoo
from harness import KEY_STORE, PIN, UNIT, field, key_store
from people import woman

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "store-0.1.0"


def refused(directory, secret):
    """The code with which a store does not open."""
    with pytest.raises(ortoo.StoreError) as raised:
        ortoo.Phone.open(directory, secret)
    assert str(raised.value) == ", ".join(raised.value.codes)
    assert raised.value.problems[0].message
    return raised.value.codes


def test_a_wrong_secret_does_not_open_and_changes_nothing(enrolled, tmp_path):
    phone = enrolled("a", secret=PIN)
    assert refused(tmp_path / "a", "135791") == ("wrong_secret",)
    # Nor does it take the store from whoever has it open.
    assert phone.list("person") == []


def test_another_kind_of_secret_is_told_apart(enrolled, tmp_path):
    enrolled("typed", secret=PIN)
    enrolled("kept", secret=KEY_STORE)
    assert refused(tmp_path / "typed", KEY_STORE) == ("other_secret",)
    assert refused(tmp_path / "kept", PIN) == ("other_secret",)


def test_a_key_store_opens_with_its_key_and_its_pin_only(enrolled, tmp_path):
    with_pin = ortoo.KeyStoreSecret(key_store, PIN)
    phone = enrolled("a", secret=with_pin)
    id = phone.add("person", woman())
    phone.lock()
    assert refused(tmp_path / "a", KEY_STORE) == ("wrong_secret",)
    assert refused(tmp_path / "a", ortoo.KeyStoreSecret(lambda _: bytes(32), PIN)) == (
        "wrong_secret",
    )
    with ortoo.Phone.open(tmp_path / "a", with_pin) as phone:
        assert phone.show(id).id == id


@pytest.mark.parametrize("answer", ["raises", b"short", bytes(33), None, "text"])
def test_a_key_store_that_does_not_answer_is_told(enrolled, tmp_path, answer):
    enrolled("a").lock()

    def silent(message):
        if answer == "raises":
            raise OSError("locked away")
        return answer

    assert refused(tmp_path / "a", ortoo.KeyStoreSecret(silent)) == ("key_store_silent",)
    ortoo.Phone.open(tmp_path / "a", KEY_STORE).lock()


def test_a_secret_that_is_too_short_is_refused(server, tmp_path):
    for secret in ("123", ortoo.KeyStoreSecret(key_store, "123")):
        with pytest.raises(ortoo.WrongRequest) as raised:
            ortoo.enrol(tmp_path / "a", secret, server.link(UNIT))
        assert raised.value.codes == ("secret_short",)
    assert not (tmp_path / "a").exists()


def test_a_secret_does_not_print():
    assert PIN not in repr(ortoo.KeyStoreSecret(key_store, PIN))


def test_the_secret_is_changed_and_the_old_one_opens_nothing(enrolled, tmp_path):
    phone = enrolled("a", secret=PIN)
    id = phone.add("person", woman())
    steps = [(PIN, "another pin"), ("another pin", KEY_STORE), (KEY_STORE, PIN)]
    for old, new in steps:
        phone.change_secret(new)
        # The open phone goes on.
        assert phone.show(id).id == id
        phone.lock()
        assert refused(tmp_path / "a", old)[0] in ("wrong_secret", "other_secret")
        phone = ortoo.Phone.open(tmp_path / "a", new)
    with pytest.raises(ortoo.WrongRequest) as raised:
        phone.change_secret("123")
    assert raised.value.codes == ("secret_short",)
    phone.lock()
    assert field(tmp_path / "a", "show", id).json()["id"] == id


def test_a_store_that_is_not_there_is_told(tmp_path):
    assert refused(tmp_path, PIN) == ("store_missing",)
    assert refused(tmp_path / "nowhere", PIN) == ("store_missing",)


def test_a_damaged_store_is_told_and_not_touched(enrolled, tmp_path):
    enrolled("a").lock()
    file = tmp_path / "a" / "ortoo.db"
    whole = file.read_bytes()
    damages = {
        "no database": b"x" * len(whole),
        "cut": whole[: len(whole) // 2],
        "scribbled": whole[:4096] + b"\xff" * (len(whole) - 4096),
    }
    for name, damaged in damages.items():
        for beside in file.parent.iterdir():
            beside.unlink()
        file.write_bytes(damaged)
        assert refused(file.parent, KEY_STORE) == ("store_damaged",), name
        assert file.read_bytes() == damaged, name


def test_a_store_without_its_slots_is_damaged_and_one_of_the_future_too_new(enrolled, tmp_path):
    enrolled("a").lock()
    enrolled("b").lock()
    changes = {
        "a": ("DELETE FROM slot", "store_damaged"),
        "b": ("UPDATE header SET format = 99", "store_too_new"),
    }
    for name, (change, code) in changes.items():
        with sqlite3.connect(tmp_path / name / "ortoo.db") as db:
            db.execute(change)
        db.close()
        assert refused(tmp_path / name, KEY_STORE) == (code,)


def test_two_phones_on_one_store_take_it_from_each_other_and_lose_nothing(enrolled, tmp_path):
    one = enrolled("a")
    first = one.add("person", woman())
    with ortoo.Phone.open(tmp_path / "a", KEY_STORE) as two:
        second = two.add("person", woman("萨仁", sequence=126))
        one.edit(first, {"identity.phone": "10012345678"})
        two.edit(first, {"identity.name": "琪琪格"})
    one.edit(second, {"identity.name": "乌云"})
    shown = one.show(first).fields
    assert (shown["identity.name"], shown["identity.phone"]) == ("琪琪格", "10012345678")
    assert one.show(second).fields["identity.name"] == "乌云"


def test_a_store_of_the_first_version_opens_and_shows(tmp_path):
    shutil.copytree(FIXTURE, tmp_path / "store")
    expected = json.loads((FIXTURE / "expected.json").read_text(encoding="utf-8"))
    with ortoo.Phone.open(tmp_path / "store", expected["pin"]) as phone:
        assert expected["records"]
        for record in expected["records"]:
            shown = phone.show(record["id"]).fields
            assert {key: shown.get(key) for key in record["fields"]} == record["fields"]
        assert phone.status().unsent == expected["unsent"]
