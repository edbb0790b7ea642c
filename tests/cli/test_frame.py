"""Every command ends with the worst code and one sentence; defects leave a report that holds no names."""

import io
import json
from pathlib import Path

import pytest

from repatria.cli.frame import run
from repatria.cli.output import Output, printable
from repatria.errors import CryptError, InternalError, ManifestError, Role, UnreachableError, worst
from repatria.model import Finding, FindingKind


@pytest.fixture
def output() -> Output:
    return Output(stdout=io.StringIO(), stderr=io.StringIO())


def said(output: Output) -> str:
    assert isinstance(output.stderr, io.StringIO)
    return output.stderr.getvalue()


def printed(output: Output) -> str:
    assert isinstance(output.stdout, io.StringIO)
    return output.stdout.getvalue()


@pytest.mark.parametrize(
    ("codes", "code"), [([], 0), ([0, 3], 3), ([3, 1], 1), ([4, 5, 1], 5), ([8, 6], 8), ([0, 7], 7), ([130, 70], 70)]
)
def test_the_worst_code_counts(codes: list[int], code: int) -> None:
    assert worst(codes) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CryptError("a"), 6),
        (UnreachableError("a"), 5),
        (UnreachableError("a", role=Role.SOURCE), 4),
        (ManifestError("a"), 2),
        (InternalError("a"), 70),
        (KeyboardInterrupt(), 130),
    ],
)
def test_an_error_ends_a_command_with_its_code(output: Output, error: BaseException, code: int) -> None:
    def body() -> int:
        raise error

    assert run(output, body) == code
    assert said(output).startswith("repatria: ")


def test_an_error_tells_its_details_and_its_advice(output: Output) -> None:
    output.error(ManifestError("m.toml has 2 faults:", details=["one", "two"], advice="Mend it."))
    assert said(output) == "repatria: m.toml has 2 faults:\n  one\n  two\nMend it.\n"


def test_a_defect_leaves_a_report_without_names(
    output: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPATRIA_STATE", str(tmp_path))

    def body() -> int:
        patient = "Awa Diop"
        raise ZeroDivisionError(patient)

    assert run(output, body) == 70
    (report,) = (tmp_path / "reports").iterdir()
    assert "ZeroDivisionError" in report.read_text(encoding="utf-8")
    assert "Diop" not in report.read_text(encoding="utf-8") + said(output)


def test_quiet_keeps_messages_until_something_is_wrong() -> None:
    for code, expected in ((0, ""), (8, ""), (1, "Two are missing.\n")):
        output = Output(quiet=True, stdout=io.StringIO(), stderr=io.StringIO())

        def body(code: int = code, output: Output = output) -> int:
            output.say("Two are missing.")
            return code

        assert run(output, body) == code
        assert said(output) == expected


def test_json_ends_with_a_summary() -> None:
    output = Output(json=True, stdout=io.StringIO(), stderr=io.StringIO())

    def body() -> None:
        output.finding(Finding(FindingKind.ALTERED, "object 42", path="é\n"))
        output.summary(bundle="file:///x", next="repatria verify x")

    assert run(output, body) == 0
    finding, summary = map(json.loads, printed(output).splitlines())
    assert (finding["type"], finding["kind"], finding["path"]) == ("finding", "altered", "é\n")
    assert summary == {"type": "summary", "v": 1, "code": 0, "bundle": "file:///x", "next": "repatria verify x"}


def test_messages_off_a_terminal_carry_no_names(output: Output) -> None:
    output.finding(Finding(FindingKind.MISSING, "object 42", "It is gone.", path="Awa Diop.pdf"))
    output.error(CryptError("Awa Diop.pdf cannot be read", public=False))
    assert said(output) == "missing: object 42. It is gone.\nrepatria: An object could not be handled.\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("été", "été"), ("a\nb\x1b[31m", "a\\nb\\x1b[31m"), ("caf\udce9", "caf\\xe9"), ("a\u202eb", "a\\u202eb")],
)
def test_a_terminal_is_never_steered_by_a_name(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_number_that_no_bundle_holds_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    found = Finding(FindingKind.FAILED, "object 42", "Not a picture.", path="Awa Diop.pdf")
    Output().finding(found, stored=False)
    said = capsys.readouterr().err
    assert "an object of the source" in said
    assert "42" not in said
    assert "Awa" not in said
