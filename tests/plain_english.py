"""`python -m tests.plain_english [PATH ...]`: finds wordings that readers had to read twice (see CONTRIBUTING.md)."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
READ = {".c", ".go", ".h", ".java", ".js", ".md", ".proto", ".py", ".toml", ".tpl", ".ts", ".txt", ".yaml", ".yml"}
LEFT_OUT = ("mesh/wire/", "clients/go/offersv1/", "requirements/", "tests/plain_english.py")
ALLOWED = {
    ("mesh/cli/catalog/command.py", "mend"),
    ("tests/mesh/cli/catalog/test_check.py", "mend"),
    ("CHANGELOG.md", "mend"),
}  # a name that users depend on

# What must not come back, and what to write instead.
INSTEAD = {
    r"mend(s|ed|ing)?|amend(s|ed|ing)?": "fix",
    r"told|tell|tells|telling": "reported, reports, shows",
    r"heard|hears?": "received, receives",
    r"befalls?|befell": "what happens to",
    r"anew": "again",
    r"thereof|therein|whereof|whence|wherein|lest|ere": "usual words",
    r"the like|and such": "similar, or the full list",
    r"amiss": "wrong",
    r"of late": "recently",
    r"for ever": "forever, or 'until cancelled'",
    r"at the (least|most|latest|earliest) of|at the least|at the most": "at least, at most",
    r"as it says|says so|with a word|a word of (?!mouth)": "what is reported, literally",
    r"luck|mishap|haste|hasty|manners": "usual words",
    r"sisters?": "other replicas",
    r"purse": "CPU budget",
    r"the house|the door": "repository layout, gRPC server",
    r"(?<!there )(?<!There )(?<!if )(is|are|was) no (?!longer|more|other|one\b|replica is)\w+": "is not a ...",
    r"takes? (it|them|one|none|that|this) not|knows? (it|them) not": "does not ...",
    r"nothing of (it|them|that) is": "no ... is",
    r"on (its|their) way": "under way",
}
PATTERNS = [(re.compile(rf"\b({words})\b", re.IGNORECASE), better) for words, better in INSTEAD.items()]


def findings(path: Path) -> Iterator[str]:
    """One line for each wording in `path`."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        spaced = line.replace("_", " ") if path.suffix == ".py" else line
        for pattern, better in PATTERNS:
            for match in pattern.finditer(spaced):
                if (str(path.relative_to(ROOT)), match[0]) in ALLOWED:
                    continue
                yield f"{path.relative_to(ROOT)}:{number}: {match[0]!r}; write: {better}"


def main(paths: list[str]) -> int:
    """Prints the findings below `paths` (default: every tracked file); 1 if there are any."""
    listed = subprocess.run(["git", "ls-files", *paths], cwd=ROOT, check=True, capture_output=True, text=True)
    files = [name for name in listed.stdout.split("\n") if Path(name).suffix in READ or name == "Makefile"]
    found = [line for name in files if not name.startswith(LEFT_OUT) for line in findings(ROOT / name)]
    print(*found, sep="\n")
    if found:
        print(f"{len(found)} wordings to replace (tests/plain_english.py)", file=sys.stderr)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
