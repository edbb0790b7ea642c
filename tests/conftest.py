"""What every test may lean on: the shared real inputs, and English."""

import os
import signal
from pathlib import Path

import hypothesis
import pytest

pytest_plugins = ["tests.servers"]
SHARED = Path(os.environ.get("REPATRIA_SHARED") or Path(__file__).parents[2] / "shared")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that rewrites transcripts."""
    parser.addoption("--accept", action="store_true", help="write what transcripts print today into them")


def pytest_configure() -> None:
    """Time no example, and hear signals even where the tests run under nohup or behind `&`; tables are of one width.

    A busy machine makes a slow example, not a wrong one; what nohup and `&` ignore is ignored by all that they start;
    workers of pytest-xdist are told a width by COLUMNS, which the tables of a pipe heed.
    """
    os.environ.pop("COLUMNS", None)
    hypothesis.settings.register_profile("untimed", deadline=None)
    hypothesis.settings.load_profile("untimed")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real scans, hostile files and test vectors that lies beside the project."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED.name}/ is absent beside the project: real inputs are not tested")
    return SHARED
