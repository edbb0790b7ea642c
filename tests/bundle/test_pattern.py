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
        ("maternité/2019", ["maternité/2019/x", "maternite\u0301/2019/a/x"], ["a/maternité/2019/x"]),
        ("./maternité/2019/", ["maternité/2019/x"], ["a/maternité/2019/x"]),
    ],
)
def test_patterns(pattern: str | None, meant: list[str], not_meant: list[str]) -> None:
    is_meant = path_filter(pattern)
    assert [path for path in meant if not is_meant(path)] == []
    assert [path for path in not_meant if is_meant(path)] == []


def test_a_pattern_is_anchored_at_the_top_of_each_source() -> None:
    is_meant = path_filter("maternité/2019", ["files", "scans"])
    assert is_meant("scans/maternité/2019/x")
    assert is_meant("maternité/2019/x")
    assert not is_meant("scans/a/maternité/2019/x")
    assert not is_meant("other/maternité/2019/x")
    assert not path_filter("a/b", ["scans"])("scans/a/b")  # one source: paths do not begin with its name
