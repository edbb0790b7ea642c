"""Which objects a PATTERN on the command line means: the language of gitignore, and every path means itself."""

import unicodedata
from collections.abc import Callable, Sequence


def path_filter(pattern: str | None, sources: Sequence[str] = ()) -> Callable[[str], bool]:
    """Return whether a path is meant by `pattern`; without one, every path is.

    `2024/*.dcm` is anchored, `*.dcm` is not, `scans` and `scans/` mean what lies below that folder, and a path given
    in full means that object, whatever characters it holds.

    In a dataset of several `sources` a pattern is anchored at the top of each source, too: their names, which are the
    first component of every path, can be left out. Accents match however they are composed.
    """
    if pattern is None:
        return lambda _path: True
    from pathspec import GitIgnoreSpec

    spec = GitIgnoreSpec.from_lines([unicodedata.normalize("NFC", pattern).removeprefix("./")])
    tops = tuple(f"{name}/" for name in sources) if len(sources) > 1 else ()

    def is_meant(path: str) -> bool:
        if path == pattern:
            return True
        composed = unicodedata.normalize("NFC", path)
        top = next((each for each in tops if composed.startswith(each)), "")
        return bool(spec.match_file(composed)) or bool(top and spec.match_file(composed.removeprefix(top)))

    return is_meant
