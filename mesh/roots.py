"""Where the files that a catalog names may be: anywhere, or only below some folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Roots:
    """Relative paths start at `base`.

    With `confined`, a path must be below `base` or one of `others`, after its symbolic links are followed: the process
    reads, on behalf of the author of the catalog, only files that the process was given for that. Without, the author
    of the catalog is the user who runs the process, who may name any file.
    """

    base: Path
    confined: bool = False
    others: tuple[Path, ...] = ()

    def place(self, path: str, *, may_be_elsewhere: bool = False) -> str:
        """Returns `path` as an absolute path; raises ValueError with the problem and the fix if it leaves the folders.

        With `may_be_elsewhere`, an absolute path is not checked, because another process opens it.
        """
        placed = Path(self.base, path)
        if not self.confined or (may_be_elsewhere and Path(path).is_absolute()):
            return str(placed)
        if "\0" not in path and self._allows(placed):
            return str(placed)
        folders = " or ".join(map(str, (self.base, *self.others)))
        raise ValueError(f"leaves {folders}; move the file there, or name its folder with --volume")

    def _allows(self, placed: Path) -> bool:
        # `..` is a part of a file name for the kernel: a link before it counts, so that only `resolve` knows the place.
        try:
            found = placed.resolve()
        except (OSError, RuntimeError):  # a loop of links
            return False
        return any(found.is_relative_to(folder.resolve()) for folder in (self.base, *self.others))


def roots_of(folder: Path | Roots | None, file: Path) -> Roots:
    """Returns the roots of the catalog at `file`: `folder`, or everything, with relative paths from its own folder."""
    if isinstance(folder, Roots):
        return folder
    return Roots((folder or file.parent).absolute())
