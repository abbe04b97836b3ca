"""A token follows its file."""

from __future__ import annotations

from pathlib import Path

from mesh.tls.token import REREAD_S, Token


def test_new_token_of_the_file_is_used_and_a_bad_one_is_not(tmp_path: Path) -> None:
    now_s, file = [0.0], tmp_path / "token"
    file.write_text("first\n")
    token = Token("--token-file", file=file, clock=lambda: now_s[0])
    file.write_text("second\n")
    assert token.header() == ("authorization", "Bearer first")
    now_s[0] += REREAD_S
    assert token.current() == "second"
    for text in ("", "no token"):
        file.write_text(text)
        now_s[0] += REREAD_S
        assert token.current() == "second"
    file.unlink()
    now_s[0] += REREAD_S
    assert token.current() == "second"
