"""What is written in any script is found by its text, whichever of its spellings is asked for."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from agentcl import Memory

OTHERS = (
    "The weather is fine today.", "天气很好", "猫は寝ている", "الطقس جميل", "Погода хорошая", "5 apples",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("他喜欢茶", "茶"),
        ("茶叶很贵", "茶"),
        ("お茶を飲む", "茶"),
        ("喝茶吧", "茶"),
        ("用户服务器部署在腾讯云", "腾讯云"),
        ("in\u00advisible hyphen", "invisible"),
        ("an invisible hyphen", "in\u00advisible"),
        ("The zero\u200bwidth space", "zerowidth"),
        ("The zero\u200bwidth space", "zero"),
        ("من می‌روم", "میروم"),
        ("من میروم", "می‌روم"),
        ("مـــرحبا بالعالم", "مرحبا"),
        ("مرحبا١٢٣ رقم", "123"),
        ("سال ۱۴۰۲", "1402"),
        ("Łódź Ørsted", "lodz orsted"),
        ("lodz", "Łódź"),
        ("ISPARTA'da", "\u0131sparta"),
        ("Þingvellir", "thingvellir"),
        ("کتاب خوب", "كتاب"),
        ("I love 🍕", "🍕"),
        ("I love 🍕", "dinner 🍕"),
        ("family 👨\u200d👩\u200d👧 trip", "👨\u200d👩\u200d👧"),
        ("great 👍🏽 work", "👍"),
        ("rain by 5 % more", "%"),
        ("fish & chips", "&"),
        ("it costs €5", "€"),
        ("मुझे चाय पसंद है", "चाय"),
        ("ฉันชอบกินข้าวผัด", "ข้าวผัด"),
        ("הרכבת יוצאת בשבע", "רכבת"),
        ("רכבת יוצאת בשבע", "הרכבת"),
        ("يغادر القطار في السابعة", "قطار"),
        ("قطار السابعة", "للقطار"),
        ("Größe 42", "GROESSE"),
        ("Groesse 42", "Größe"),
        ("flight to Ålesund", "Aalesund"),
    ],
)
def test_it_is_found(tmp_path: Path, text: str, query: str) -> None:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as memory:
        wanted = memory.add_many([*OTHERS, text])[-1]
        (first, *_) = memory.search(query, mode="text", limit=3).hits
        assert (first.document_id, first.text) == (wanted.id, text)
        assert memory.search(query, limit=3).hits[0].document_id == wanted.id


def test_signs_are_found_within_the_scope_and_the_present_only(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        ada = memory.add("rain by 5 %", user="ada")
        memory.add("rain by 6 %", user="bob")
        changed = memory.add("rain by 7 %", user="ada")
        memory.update(changed.id, text="no rain", user="ada")
        found = memory.search("%", mode="text", user="ada")
        assert [hit.document_id for hit in found] == [ada.id]
        assert not memory.search("&", mode="text", user="ada").hits
        both = memory.add("5 % & more", user="ada")
        assert memory.search("% &", mode="text", user="ada").hits[0].document_id == both.id


def test_an_index_of_an_earlier_analysis_is_made_anew(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.add("他喜欢茶")
        assert memory.search("茶", mode="text").hits
    file = tmp_path / "m" / "indexes" / "fulltext" / "fulltext.db"
    with sqlite3.connect(file) as old:
        old.execute("UPDATE words SET body = 'wrong'")
        old.execute("PRAGMA user_version = 1")
    old.close()
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        assert memory.search("茶", mode="text").hits
        assert not memory.search("wrong", mode="text").hits
