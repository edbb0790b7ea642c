"""Which objects a PATTERN on the command line means: the language of gitignore, and every path means itself."""

from collections.abc import Callable


def path_filter(pattern: str | None) -> Callable[[str], bool]:
    """Return whether a path is meant by `pattern`; without one, every path is.

    `2024/*.dcm` is anchored, `*.dcm` is not, `scans` and `scans/` mean what lies below that folder, and a path given
    in full means that object, whatever characters it holds.
    """
    if pattern is None:
        return lambda _path: True
    from pathspec import GitIgnoreSpec

    spec = GitIgnoreSpec.from_lines([pattern])
    return lambda path: path == pattern or spec.match_file(path)
