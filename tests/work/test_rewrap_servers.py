"""Changing recipients on real servers, and what the stock tools say of the result."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from repatria.crypt.identity import generate
from repatria.crypt.key_files import identity_text
from repatria.errors import Role
from repatria.store.local import LocalStore
from repatria.store.registry import open_store
from tests.servers import Server
from tests.work.making import PowerCutError
from tests.work.rewrapping import DATASET, NEW, OLD, CutOff, contents, make_chain, rewrap, trust_in, verify


@pytest.fixture(params=["rclone_s3", "moto_s3", "sshd"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found.use(monkeypatch)


def test_on_a_server_cut_off_and_ended(server: Server) -> None:
    store = open_store(server.new_place(), endpoint=server.endpoint, profile=server.profile, role=Role.TARGET)
    try:
        signer = make_chain(store).signer
        before = contents(store, OLD)
        for at in (12, 14, 9):
            with pytest.raises(PowerCutError):
                rewrap(CutOff(store, at, after=True), signer)
            assert verify(store, trust_in(signer)).code == 3
        rewrap(store, signer)
        assert contents(store, NEW) == before
        assert verify(store, trust_in(signer), NEW).code == 0
        assert not [told.path for told in store.list() if "/records" in told.path or told.path.startswith(".")]
    finally:
        store.close()


@pytest.mark.parametrize("hybrid", [False, True])
def test_stock_tools_verify_and_open_it(tmp_path: Path, hybrid: bool) -> None:
    absent = [tool for tool in ("age", "tar", "sha256sum", "ssh-keygen", "bash") if shutil.which(tool) is None]
    if absent:
        pytest.skip(f"not installed: {', '.join(absent)}")
    new = generate(classic=not hybrid)
    maker = make_chain(LocalStore(tmp_path))
    rewrap(LocalStore(tmp_path), maker.signer, to=[new])
    identity = tmp_path / "identity"
    identity.touch(0o600)
    identity.write_text(identity_text([new]))
    (tmp_path / "allowed_signers").write_text(f"senum@dakar {maker.signer.public_line()}\n")
    for bundle in maker.bundles:
        folder = tmp_path / DATASET / bundle
        readme = (folder / "README.txt").read_text()
        assert f"age {'1.3' if hybrid else '1.0'} or later" in readme
        commands = [
            "sha256sum --quiet -c tagmanifest-sha256.txt manifest-sha256.txt",
            "ssh-keygen -Y verify -f ../../allowed_signers -I senum@dakar -n repatria -s statement.json.sig"
            " < statement.json",
            "ssh-keygen -Y verify -f ../../allowed_signers -I senum@dakar -n repatria -s statements/0001.json.sig"
            " < statements/0001.json",
        ]
        if not hybrid:  # the age of today's systems opens classical files only
            commands.append("for v in data/vol-*; do age -d -i ../../identity $v | tar -xi -C $CLEAR || exit 1; done")
        for command in commands:
            clear = tmp_path / "clear" / bundle
            clear.mkdir(parents=True, exist_ok=True)
            subprocess.run(
                ["bash", "-o", "pipefail", "-c", command],
                cwd=folder,
                env={**os.environ, "CLEAR": str(clear)},
                check=True,
                capture_output=True,
            )
    if not hybrid:
        parts = sorted((tmp_path / "clear" / maker.bundles[0]).glob("b*"))
        assert b"".join(part.read_bytes() for part in parts) == b"b" * 700_000
