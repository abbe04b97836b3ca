"""The tests that the clients in Go, Node and Java have in their own language, and their stubs."""

from __future__ import annotations

import subprocess

import pytest

from protos.languages import LANGUAGES, Language
from tests.clients.languages import ROOT, built, program

WITHIN_S = 300
COMMANDS = {
    "go-vet": ("go", ["vet", "-C", "clients/go", "./..."]),
    "go": ("go", ["test", "-C", "clients/go", "./..."]),
    "node": ("node", ["--test", "clients/node/test/"]),
    "java": ("mvn", ["-q", "-B", "-o", "-f", "clients/java", "test"]),
}


@pytest.mark.whole_machine
@pytest.mark.timeout(WITHIN_S + 10)
@pytest.mark.parametrize("name", COMMANDS)
def test_client_passes_the_tests_in_its_language(name: str) -> None:
    built(name.partition("-")[0])
    tool, words = COMMANDS[name]
    done = subprocess.run(
        [program(tool), *words], cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_S, check=False
    )
    if "in offline mode" in done.stdout:
        pytest.skip("Maven has not downloaded the packages of the tests; run `mvn -f clients/java test` once")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda one: one.name)
def test_stubs_of_the_clients_are_fresh(language: Language) -> None:
    if language.missing:
        pytest.skip(f"{' and '.join(language.missing)} not installed; run `make grpc-tools`")
    assert language.stale() == []
