"""`show -o`: a file that is there is never replaced, and its name's ending tells the form or agrees with it."""

from pathlib import Path

import pytest

from repatria.cli.app import run_app


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-o", "there.png"], "is there already"),
        (["-o", "page.xyz"], "does not say in which form"),
        (["-o", "page.pdf", "--format", "png"], "which its name contradicts"),
    ],
)
def test_refused_before_anything_is_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.png").write_bytes(b"kept")
    with pytest.raises(SystemExit) as ended:
        run_app(["show", "letters#a/1", *options])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["there.png"]
    assert (tmp_path / "there.png").read_bytes() == b"kept"
