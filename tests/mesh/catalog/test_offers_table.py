"""Reading the offers file, and all its faults."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.catalog.offers_table import MAX_COLUMNS, MAX_CSV_BYTES, MAX_OFFERS, OffersTable, parse_offers, read_offers
from mesh.errors import Misconfigured
from mesh.players.loading.file import open_file
from mesh.players.loading.packing import pack
from mesh.players.loading.survey import survey


def read(folder: Path, text: str) -> OffersTable:
    (folder / "offers.csv").write_text(text, encoding="utf-8")
    return read_offers(folder / "offers.csv")


def faults(folder: Path, text: str) -> list[str]:
    """`LINE: PROBLEM` of each fault."""
    with pytest.raises(Misconfigured) as caught:
        read(folder, text)
    return [fault.removeprefix(f"{folder / 'offers.csv'}:").strip() for fault in caught.value.faults]


def test_columns_are_numbers_or_texts(tmp_path: Path) -> None:
    table = read(tmp_path, 'offer_id,price,size,art\nstarter,1.5,,"a, b"\ngold,9,3,\n')
    assert table.ids == ("starter", "gold")
    assert table.positions == {"starter": 0, "gold": 1}
    assert table.prices == table.numbers["price"] == (1.5, 9.0)
    assert math.isnan(table.numbers["size"][0])
    assert table.numbers["size"][1] == 3.0
    assert table.texts == {"art": ("a, b", None)}


def test_column_with_one_word_is_a_text_column(tmp_path: Path) -> None:
    assert read(tmp_path, "offer_id,tier\na,1\nb,two\n").texts == {"tier": ("1", "two")}


def test_booleans_are_numbers_and_numbers_keep_their_spelling(tmp_path: Path) -> None:
    table = read(tmp_path, "offer_id,bundle,tier\na,True,01\nb,false, 2.0\nc,,\n")
    assert [str(number) for number in table.numbers["bundle"]] == ["1.0", "0.0", "nan"]
    assert [str(number) for number in table.numbers["tier"]] == ["1.0", "2.0", "nan"]
    assert table.spellings == {"bundle": ("True", "false", None), "tier": ("01", " 2.0", None)}


def test_blank_lines_are_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, "\n\noffer_id,kind\na,gem\n\nb,coin\n\n\n").ids == ("a", "b")


def test_quoted_empty_cell_is_the_empty_text(tmp_path: Path) -> None:
    table = read(tmp_path, 'offer_id,art,size\na,"",""\nb,,3\nc,"""",\nd,"x,"",",\n')
    assert table.texts["art"] == ("", None, '"', 'x,",')
    assert [str(number) for number in table.numbers["size"]] == ["nan", "3.0", "nan", "nan"]


WRITTEN = ["", '""', "1", " 2 ", "true", "FALSE", "x", '"a,b"', '"say ""hi"""', "1e3", "1_0"]


@given(st.lists(st.sampled_from(WRITTEN), min_size=1))
def test_cells_are_read_like_those_of_players(cells: list[str]) -> None:
    text = "offer_id,c\n" + "".join(f"{number},{cell}\n" for number, cell in enumerate(cells))
    offers = parse_offers(text, "offers.csv")
    with TemporaryDirectory() as folder:
        file = Path(folder, "players.csv")
        file.write_text(text.replace("offer_id", "player_id"))
        source = open_file(file)
        try:
            schema = survey(source, frozenset(), lambda _: None)
        except Misconfigured:  # numbers and other cells in one column: the load wants --text
            schema = survey(source, frozenset({"c"}), lambda _: None)
        rows = [player for batch in source.batches() for _, player in pack(batch, schema, 0.0)]
    if schema.columns.texts:
        assert offers.texts["c"] == tuple(player.texts[0] for player in rows)
    else:
        assert struct.pack(f"<{len(rows)}d", *offers.numbers["c"]) == b"".join(player.numbers for player in rows)


def test_prices_are_optional(tmp_path: Path) -> None:
    assert read(tmp_path, "offer_id\na\n").prices is None


def test_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    assert read(tmp_path, "offer_id,price\r\na,1\r\n").ids == ("a",)


def test_byte_order_mark_of_a_spreadsheet_is_ignored(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeffoffer_id,price\na,1\n").ids == ("a",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1: has no column offer_id"]),
        ("id,price\na,1\n", ["1: has no column offer_id"]),
        ("offer_id,price\n", ["has 0 offers"]),
        ("offer_id,price,price\na,1,1\n", ["1: column 'price' occurs twice"]),
        ("offer_id,price\na,1\nb\n", ["3: does not have 2 cells"]),
        ("offer_id,price\na,1\na,2\n", ["3: offer_id 'a' is empty or occurs twice"]),
        ("offer_id,price\n,1\n", ["2: offer_id '' is empty"]),
        ("offer_id,price\na,cheap\n", ["2: price 'cheap' is wrong"]),
        ("offer_id,price\na,true\n", ["2: price 'true' is wrong"]),
        ("offer_id,price\n\na,cheap\n", ["3: price 'cheap' is wrong"]),
        ("offer_id,price\na\tb,1\n", ["2: offer_id has the character U+0009, which cannot be printed"]),
        ("offer_id,,price\na,1,1\n", ["1: column 2 has no name"]),
        ("offer_id,price\na,-1\nb,inf\nc,nan\n", ["2: price '-1'", "3: price 'inf'", "4: price 'nan'"]),
        ("offer_id,price\na,x\na,y\n", ["2: price 'x'", "3: offer_id 'a'", "3: price 'y'"]),
    ],
)
def test_every_fault_has_its_line(tmp_path: Path, text: str, expected: list[str]) -> None:
    found = faults(tmp_path, text)
    assert len(found) == len(expected)
    assert all(fault.startswith(start) for fault, start in zip(found, expected, strict=True))


def test_too_many_offers_are_a_fault(tmp_path: Path) -> None:
    lines = "".join(f"offer-{number}\n" for number in range(MAX_OFFERS + 1))
    assert "10001 offers" in faults(tmp_path, "offer_id\n" + lines)[0]


def test_unreadable_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        read_offers(tmp_path / "ghost.csv")
    (tmp_path / "offers.csv").write_bytes(b"offer_id\n\xff\n")
    with pytest.raises(Misconfigured, match=r"cannot be read: .*; save it as UTF-8$"):
        read_offers(tmp_path / "offers.csv")


def test_huge_files_are_refused_with_little_memory(tmp_path: Path) -> None:
    rows = "\n".join(["offer_id", *(f"o{number}" for number in range(MAX_OFFERS + 5))])
    assert faults(tmp_path, rows) == [f"has {MAX_OFFERS + 5} offers; give 1 to {MAX_OFFERS}"]
    columns = ",".join(["offer_id", *(f"c{number}" for number in range(MAX_COLUMNS))])
    assert faults(tmp_path, f"{columns}\n") == [f"1: has {MAX_COLUMNS + 1:,} columns; give at most {MAX_COLUMNS:,}"]
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(MAX_CSV_BYTES + 1)  # without a byte on the disk
    with pytest.raises(Misconfigured, match=r"huge\.csv: is larger than 64 MiB; is it the right file\?"):
        read_offers(tmp_path / "huge.csv")


def test_device_or_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(Misconfigured, match="is not a regular file"):
            read_offers(path)
