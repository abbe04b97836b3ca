"""The programs in the README, one for each language: run as they are written, against a scripted supervisor."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from loadtest.clients.scripted import scripted
from tests.clients.languages import BUILT, ROOT, built

pytestmark = pytest.mark.whole_machine

ADDRESS = "127.0.0.1:7000"
WITHIN_S = 100
JAVA_IMPORTS = "import ensemblemesh.client.*;"
GO_MODULE = f"""module example
go 1.26.0
require ensemble-mesh/clients/go v0.0.0
replace ensemble-mesh/clients/go => {ROOT}/clients/go
"""
GO_PROGRAM = """package main
import (
	"context"
	"fmt"
	"log"
	ensemblemesh "ensemble-mesh/clients/go"
)
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
func main() {
	ctx := context.Background()
%s
}
"""


def documented(language: str) -> list[str]:
    """Returns the lines of the program of the README: the code block after the language's name in bold."""
    name = {"python": "Python", "go": "Go", "node": "Node", "java": "Java"}[language]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"\*\*{name}\*\*.*?```\w+\n(.*?)```", text, re.DOTALL)
    assert found is not None, f"README.md has no program in {name}"
    return found[1].splitlines()


def command(language: str, code: str, folder: Path) -> list[str]:
    """Writes a program around `code` into `folder`; returns how to run it."""
    if language == "python":
        lines = "\n".join(f"    {line}" for line in code.splitlines())
        program = f"import asyncio\nfrom ensemble_mesh_client import OfferClient\nasync def main():\n{lines}\n"
        return [sys.executable, "-c", f"{program}asyncio.run(main())"]
    if language == "node":
        module = folder / "program.mjs"
        (folder / "node_modules").mkdir()
        (folder / "node_modules" / "ensemble-mesh-client").symlink_to(ROOT / "clients/node")
        module.write_text(f'import {{ OfferClient }} from "ensemble-mesh-client";\n{code}\nawait mesh.close();\n')
        return ["node", str(module)]
    if language == "java":
        source = folder / "Program.java"
        body = f"public static void main(String[] words) {{\n{code}\nmesh.close();\n}}"
        source.write_text(f"{JAVA_IMPORTS}\npublic class Program {{ {body} }}\n")
        return ["java", "-cp", "build/clients/java/classes:build/clients/java/dependency/*", str(source)]
    (folder / "go.mod").write_text(GO_MODULE)
    shutil.copy(ROOT / "clients/go/go.sum", folder)
    (folder / "main.go").write_text(GO_PROGRAM % code)
    return ["go", "run", "-C", str(folder), "-mod=mod", "."]


@pytest.mark.timeout(WITHIN_S + 10)
@pytest.mark.parametrize("language", BUILT)
async def test_program_of_the_readme_shows_an_offer(language: str, tmp_path: Path) -> None:
    built(language)
    lines = documented(language)
    assert len([line for line in lines if line != "check(err)"]) <= 5
    async with scripted() as mesh:
        program = command(language, "\n".join(lines).replace(ADDRESS, mesh.address), tmp_path)
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients/python"), "GOPROXY": "off"}
        process = await asyncio.create_subprocess_exec(
            *program, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert out.decode().split() == ["best", "ensemble"], err.decode()
    assert mesh.requests[0].context["session_minutes"].number == 12.5
