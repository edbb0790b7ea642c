"""Steps of the demo: shown, checked, and stopped at when they fail."""

from pathlib import Path

import pytest
from demo.migration import flip_a_bit
from demo.play import StepFailedError, check, run, run_and_kill, run_program
from demo.scene import Scene, empty_scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return empty_scene(tmp_path / "demo-output")


def test_a_command_is_shown_as_it_is_typed_then_what_it_prints(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(scene, "new", "essai", "--lang", "fr") == ["manifests/essai.toml"]
    shown = capfd.readouterr().out.splitlines()
    assert shown[:2] == ["$ repatria new essai --lang fr", "    manifests/essai.toml"]
    assert (scene.folder / "manifests" / "essai.toml").is_file()


def test_of_a_long_output_the_beginning_is_shown_and_all_is_returned(
    scene: Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    printed = run_program(scene, ["sh", "-c", "seq 100"], shown=3)
    assert len(printed) == 100
    assert capfd.readouterr().out.splitlines()[4] == "    ... 97 more lines"


def test_a_command_that_ends_otherwise_than_expected_stops_the_demo_with_its_code(scene: Scene) -> None:
    with pytest.raises(StepFailedError) as failed:
        run_program(scene, ["sh", "-c", "exit 5"])
    assert failed.value.code == 5
    assert str(scene.folder) in failed.value.advice


def test_a_command_that_should_fail_and_does_not_stops_the_demo(scene: Scene) -> None:
    with pytest.raises(StepFailedError) as failed:
        run_program(scene, ["true"], expected=1)
    assert failed.value.code == 1


def test_a_claim_that_does_not_hold_stops_the_demo(scene: Scene) -> None:
    check(scene, True, "Two and two are four.")
    with pytest.raises(StepFailedError, match="five"):
        check(scene, False, "Two and two are five.")


def test_a_command_that_ends_before_it_can_be_killed_stops_the_demo(scene: Scene) -> None:
    with pytest.raises(StepFailedError):
        run_and_kill(scene, "--version", when=lambda: False)


def test_flipping_a_bit_changes_one_byte(tmp_path: Path) -> None:
    file = tmp_path / "volume"
    file.write_bytes(bytes(range(9)))
    flip_a_bit(file)
    assert file.read_bytes() == bytes([0, 1, 2, 3, 5, 5, 6, 7, 8])
