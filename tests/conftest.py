"""What every test may lean on: the shared real inputs, and English."""

import os
import signal
from pathlib import Path

import pytest

pytest_plugins = ["tests.servers"]
SHARED = Path(os.environ.get("REPATRIA_SHARED") or Path(__file__).parents[2] / "shared")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that rewrites transcripts."""
    parser.addoption("--accept", action="store_true", help="write what transcripts print today into them")


def pytest_configure() -> None:
    """Hear signals even where the tests run under nohup or behind `&`, which ignore them for all that they start."""
    for number, handler in {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}.items():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real scans, hostile files and test vectors that lies beside the project."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED.name}/ is absent beside the project: real inputs are not tested")
    return SHARED
