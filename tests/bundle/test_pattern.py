"""Which objects a PATTERN means."""

import pytest

from repatria.bundle.pattern import path_filter


@pytest.mark.parametrize(
    ("pattern", "meant", "not_meant"),
    [
        (None, ["a", "a/b"], []),
        ("*.dcm", ["x.dcm", "a/b/x.dcm"], ["x.dcm.txt"]),
        ("2024/*.dcm", ["2024/x.dcm"], ["a/2024/x.dcm", "2024/a/x.dcm"]),
        ("2024/**", ["2024/x", "2024/a/x"], ["a/2024"]),
        ("scans/", ["scans/x", "a/scans/x"], ["scans"]),
        ("scans", ["scans", "scans/x"], ["scans2"]),
        ("/a//b\n", ["/a//b\n"], ["a/b"]),
        ("!important", ["!important"], ["important"]),
        ("#1", ["#1"], ["1"]),
        ("caf\udce9", ["caf\udce9"], ["café"]),
        ("é*", ["école", "a/été"], ["e"]),
    ],
)
def test_patterns(pattern: str | None, meant: list[str], not_meant: list[str]) -> None:
    is_meant = path_filter(pattern)
    assert [path for path in meant if not is_meant(path)] == []
    assert [path for path in not_meant if is_meant(path)] == []
