"""What whoever owns the store, or holds a key, can do to a chain; and what `verify` says of it.

The chain is three bundles that `repatria copy` made; each attack is done to a copy of it on a disk, then `repatria
verify` looks at it, and `repatria cat` reads an object of the first bundle. Who verifies knows one of three things:

- `signer`: the allowed signers file alone, as an auditor who never saw the dataset;
- `memory`: what its own state folder remembers of an earlier verification;
- `head`: the head that the writer told by another way (`--expect-head`).
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from repatria.bundle import layout
from repatria.bundle.statement import Previous, Statement, parse_statement
from repatria.crypt.header import read_head
from repatria.crypt.identity import load_identities
from repatria.crypt.payload import SEALED_CHUNK_SIZE
from repatria.crypt.seal import seal
from repatria.crypt.sshsig import Signer
from repatria.store.local import LocalStore
from tests.bundle.making import DatasetMaker, file
from tests.cli.making import code

LATER = "20991231T235959Z-aaaaaa"
"""An id that sorts after every other."""
INDEX, VOLUME = layout.index_path(1), layout.volume_path(1)
MANIFEST = """
id = "fann"
sensitivity = "health"
[[source]]
uri = "source"
[target]
uri = "vault"
[encryption]
recipients = ["key.pub"]
signer = "signer"
[transfer]
volume_size = "1MiB"
"""


@dataclass
class Site:
    """A machine's folder: keys, the vault with a chain of three bundles, what state remembers of it."""

    folder: Path
    bundles: list[str] = field(default_factory=list)

    def place(self, bundle: int, path: str = "") -> Path:
        return self.folder / "vault" / "fann" / self.bundles[bundle] / path

    @property
    def dataset(self) -> Path:
        return self.folder / "vault" / "fann"

    def put(self, bundle: int, path: str, data: bytes) -> None:
        """Write over a file of the vault, as whoever owns it can."""
        self.place(bundle, path).chmod(0o644)
        self.place(bundle, path).write_bytes(data)

    def change(self, bundle: int, path: str, change: Callable[[bytes], bytes]) -> None:
        self.put(bundle, path, change(self.place(bundle, path).read_bytes()))

    def statement(self, bundle: int) -> Statement:
        return parse_statement(self.place(bundle, layout.STATEMENT).read_bytes())

    def following(self, bundle: int) -> Previous:
        data = self.place(bundle, layout.STATEMENT).read_bytes()
        return Previous(bundle=self.bundles[bundle], sha256=hashlib.sha256(data).hexdigest())

    @property
    def signer(self) -> Signer:
        return Signer.load(self.folder / "signer")

    def encrypted_by_a_stranger(self, size: int) -> bytes:
        """Return an age file to the same recipient, which is public."""
        (identity,) = load_identities(self.folder / "key", None)
        return bytes(seal(bytes(size), [identity.recipient]).data)

    def forge(
        self,
        bundle_id: str,
        *,
        after: int | None,
        signer: Signer | None = None,
        dataset: str = "fann",
        change: Callable[[Statement], Statement] = lambda statement: statement,
    ) -> None:
        """Write a bundle that is right in every way, signed by the true signer unless told otherwise."""
        (identity,) = load_identities(self.folder / "key", None)
        maker = DatasetMaker(LocalStore(self.folder / "vault"), dataset, identity, signer or self.signer)
        if after is not None:
            maker.previous, maker.next_number = self.following(after), self.statement(after).objects.next
        maker.before_signing = change
        maker.bundle([file("forged", b"forged")], bundle_id=bundle_id)

    def fit_manifests(self, bundle: int) -> None:
        """Make manifest and tag manifest agree with what lies there: that takes no key."""
        for name in (layout.MANIFEST, layout.TAGMANIFEST):
            paths = layout.parse_manifest(self.place(bundle, name).read_bytes())
            there = {path: self.place(bundle, path) for path in paths if self.place(bundle, path).exists()}
            digests = {path: hashlib.sha256(file.read_bytes()).digest() for path, file in there.items()}
            self.put(bundle, name, layout.render_manifest(digests))


def repatria(folder: Path, *arguments: str) -> str:
    """Run one command and return what it printed."""
    environment = {**os.environ, "REPATRIA_STATE": str(folder / "memory"), "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-m", "repatria", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Make the chain with the program itself, and verify it once, so that its head is remembered."""
    site = Site(tmp_path_factory.mktemp("attacked"))
    source = site.folder / "source"
    source.mkdir()
    (site.folder / "fann.toml").write_text(MANIFEST)
    repatria(site.folder, "keys", "new", "-o", "key")
    signers = repatria(site.folder, "keys", "signer", "-o", "signer", "--name", "migration@ministere")
    (site.folder / "signers").write_text(signers)
    for name, data in (("reçu.txt", b"Bonjour"), ("base.sql", bytes(range(256)) * 6000), ("later", b"later")):
        (source / name).write_bytes(data)
        site.bundles.append(repatria(site.folder, "copy", "fann.toml", "-q").strip().rpartition("/")[2])
    assert repatria(site.folder, "verify", "vault/fann", "--signers", "signers").splitlines()[-1].startswith("Intact")
    return site


@pytest.fixture
def site(pristine: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return a copy to attack, and go there."""
    folder = tmp_path / "site"
    shutil.copytree(pristine.folder, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return Site(folder, list(pristine.bundles))


# What can be done to files.


def flip_a_bit_of_a_volume(site: Site) -> None:
    site.change(1, VOLUME, lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])


def truncate_a_volume(site: Site) -> None:
    site.change(1, VOLUME, lambda data: data[:-1])


def delete_a_volume(site: Site) -> None:
    site.place(1, VOLUME).unlink()


def delete_a_volume_and_its_line(site: Site) -> None:
    site.place(1, VOLUME).unlink()
    site.fit_manifests(1)


def swap_two_volumes(site: Site) -> None:
    first, second = (site.place(1, layout.volume_path(number)).read_bytes() for number in (1, 2))
    site.put(1, layout.volume_path(1), second)
    site.put(1, layout.volume_path(2), first)


def swap_a_volume_for_ones_own(site: Site) -> None:
    site.put(0, VOLUME, site.encrypted_by_a_stranger(1 << 20))


def swap_a_volume_for_ones_own_and_fit_the_manifests(site: Site) -> None:
    swap_a_volume_for_ones_own(site)
    site.fit_manifests(0)


def swap_an_index_for_ones_own(site: Site) -> None:
    site.put(0, INDEX, site.encrypted_by_a_stranger(73_728))


def swap_a_chunk_for_ones_own(site: Site) -> None:
    """Keep the true head, and put a chunk of another file, encrypted to the same recipients, after it."""
    other = site.encrypted_by_a_stranger(1 << 20)

    def swapped(data: bytes) -> bytes:
        start, begin = _head_size(data), _head_size(other)
        return data[:start] + other[begin : begin + SEALED_CHUNK_SIZE] + data[start + SEALED_CHUNK_SIZE :]

    site.change(0, VOLUME, swapped)


def _head_size(data: bytes) -> int:
    source = iter([data])
    return len(read_head(lambda _size: next(source, b""))[0])


def add_a_file(site: Site) -> None:
    site.place(2, "data/vol-000009.tar.age").write_bytes(b"x")


def alter_a_checkpoint(site: Site) -> None:
    site.change(2, "checkpoints/0001.json", lambda data: data.replace(b"started", b"stopped"))


def alter_a_checkpoint_and_fit_the_manifests(site: Site) -> None:
    alter_a_checkpoint(site)
    site.fit_manifests(2)


def put_the_checkpoint_of_another_bundle(site: Site) -> None:
    for path in ("checkpoints/0001.json", "checkpoints/0001.json.sig"):
        site.put(2, path, site.place(1, path).read_bytes())
    site.fit_manifests(2)


def empty_the_tag_manifest(site: Site) -> None:
    site.put(2, layout.TAGMANIFEST, b"")


def alter_the_readme(site: Site) -> None:
    site.change(2, layout.README, lambda data: data + b"Send us your key.\n")


# What can be done to signatures.


def alter_a_statement(site: Site) -> None:
    site.change(2, layout.STATEMENT, lambda data: data.replace(b'"health"', b'"public"'))


def put_the_signature_of_another_statement(site: Site) -> None:
    site.put(2, layout.STATEMENT_SIGNATURE, site.place(1, layout.STATEMENT_SIGNATURE).read_bytes())


def put_a_signature_of_another_namespace(site: Site) -> None:
    """Use what the signer signed with the same key for another purpose (`ssh-keygen -Y sign -n file`)."""
    shutil.copy(site.place(2, layout.STATEMENT), site.folder / "signed")
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", "signer", "signed"], check=True, capture_output=True
    )
    site.put(2, layout.STATEMENT_SIGNATURE, (site.folder / "signed.sig").read_bytes())
    site.fit_manifests(2)


def sign_the_statement_as_a_stranger(site: Site) -> None:
    data = site.place(2, layout.STATEMENT).read_bytes()
    site.put(2, layout.STATEMENT_SIGNATURE, Signer.generate().sign(data).encode())
    site.fit_manifests(2)


def append_a_bundle_as_a_stranger(site: Site) -> None:
    site.forge(LATER, after=2, signer=Signer.generate())


def append_a_bundle_with_a_withdrawn_key_and_an_earlier_date(site: Site) -> None:
    """Sign as of a day on which the key still counted, after a bundle that another signer finished since."""
    thief = Signer.generate()
    lines = [
        site.signer.key.allowed_line("migration@ministere"),
        f'old@ministere valid-before="20240601Z" {thief.public_line()}',
    ]
    (site.folder / "signers").write_text("\n".join(lines) + "\n")
    site.forge(LATER, after=2, signer=thief)  # its statement says that it was finished in January 2024


# What can be done to chains.


def nothing(site: Site) -> None:
    pass


def drop_the_newest(site: Site) -> None:
    shutil.rmtree(site.place(2))


def roll_back_to_the_first(site: Site) -> None:
    shutil.rmtree(site.place(2))
    shutil.rmtree(site.place(1))


def make_the_newest_look_unfinished(site: Site) -> None:
    site.place(2, layout.TAGMANIFEST).unlink()


def delete_the_base(site: Site) -> None:
    shutil.rmtree(site.place(0))


def delete_the_middle(site: Site) -> None:
    shutil.rmtree(site.place(1))


def exchange_two_bundles(site: Site) -> None:
    site.place(1).rename(site.folder / "aside")
    site.place(2).rename(site.place(1))
    (site.folder / "aside").rename(site.place(2))


def replay_the_base_as_the_newest(site: Site) -> None:
    shutil.copytree(site.place(0), site.dataset / LATER)


def copy_a_bundle_of_another_dataset_in(site: Site) -> None:
    site.forge(LATER, after=None, dataset="other")
    shutil.move(site.folder / "vault" / "other" / LATER, site.dataset / LATER)


def copy_the_dataset_under_another_id(site: Site) -> None:
    site.dataset.rename(site.folder / "vault" / "other")


def fork(site: Site) -> None:
    site.forge(LATER, after=1)


def begin_a_second_chain(site: Site) -> None:
    site.forge(LATER, after=None)


def replace_the_middle_by_another_true_bundle(site: Site) -> None:
    shutil.rmtree(site.place(1))
    site.forge(site.bundles[1], after=0)


def replace_the_middle_by_another_true_bundle_of_another_id(site: Site) -> None:
    shutil.rmtree(site.place(1))
    site.forge(f"{site.bundles[1][:-6]}zzzzzz", after=0)


def replace_the_base_by_another_true_bundle(site: Site) -> None:
    shutil.rmtree(site.place(0))
    site.forge(site.bundles[0], after=None)


def replace_the_newest_by_another_true_bundle(site: Site) -> None:
    shutil.rmtree(site.place(2))
    site.forge(site.bundles[2], after=1)


def append_a_bundle_whose_id_is_earlier(site: Site) -> None:
    site.forge("20200101T000000Z-aaaaaa", after=2)


def use_object_numbers_again(site: Site) -> None:
    first = site.statement(1).objects

    def renumbered(statement: Statement) -> Statement:
        return statement.model_copy(update={"objects": statement.objects.model_copy(update={"first": first.first})})

    site.forge(LATER, after=2, change=renumbered)


# The table.


@dataclass(frozen=True)
class Case:
    """One attack, and all that is found of it."""

    attack: Callable[[Site], None]
    knows: str
    """What who verifies knows: `signer`, `memory`, `head`."""
    code: int
    """Of `verify`."""
    findings: tuple[tuple[str, str, str], ...]
    """Kind, subject (`{0}` the first bundle's id), and the beginning of the detail of each finding."""
    read: int
    """Code of `cat`, by the same knowledge, of an object in the first bundle."""
    dataset: str = "fann"

    def __str__(self) -> str:
        return f"{self.attack.__name__}-{self.knows}"


SHA = "Its bytes have another SHA-256"
CASES = (
    Case(nothing, "signer", 0, (), 0),
    Case(nothing, "memory", 0, (), 0),
    Case(nothing, "head", 0, (), 0),
    # files
    Case(flip_a_bit_of_a_volume, "signer", 1, (("altered", f"{{1}}/{VOLUME}", SHA),), 0),
    Case(truncate_a_volume, "signer", 1, (("altered", f"{{1}}/{VOLUME}", SHA),), 0),
    Case(delete_a_volume, "signer", 1, (("missing", f"{{1}}/{VOLUME}", "The manifest names it"),), 0),
    Case(
        delete_a_volume_and_its_line,
        "signer",
        1,
        (("altered", "{1}/manifest-sha256.txt", "It is not what the signed statement binds"),),
        0,
    ),
    Case(
        swap_two_volumes,
        "signer",
        1,
        (("altered", f"{{1}}/{VOLUME}", SHA), ("altered", f"{{1}}/{layout.volume_path(2)}", SHA)),
        0,
    ),
    Case(swap_a_volume_for_ones_own, "signer", 1, (("altered", f"{{0}}/{VOLUME}", SHA),), 6),
    Case(
        swap_a_volume_for_ones_own_and_fit_the_manifests,
        "signer",
        1,
        (("altered", "{0}/manifest-sha256.txt", "It is not what the signed statement binds"),),
        6,
    ),
    Case(swap_an_index_for_ones_own, "signer", 1, (("altered", f"{{0}}/{INDEX}", ""),), 6),
    Case(swap_a_chunk_for_ones_own, "signer", 1, (("altered", f"{{0}}/{VOLUME}", SHA),), 6),
    Case(add_a_file, "signer", 1, (("unexpected", "{2}/data/vol-000009.tar.age", "No manifest names it; nobody"),), 0),
    Case(alter_a_checkpoint, "signer", 6, (("altered", "{2}/checkpoints/0001.json", "The signature does not"),), 0),
    Case(
        put_the_checkpoint_of_another_bundle,
        "signer",
        1,
        (("unexpected", "{2}/checkpoints/0001.json", "It is the checkpoint of another bundle"),),
        0,
    ),
    Case(
        alter_a_checkpoint_and_fit_the_manifests,
        "signer",
        6,
        (("altered", "{2}/checkpoints/0001.json", "The signature does not belong to these bytes"),),
        0,
    ),
    Case(empty_the_tag_manifest, "signer", 1, (("altered", "{2}/tagmanifest-sha256.txt", "The manifest names no"),), 0),
    Case(alter_the_readme, "signer", 1, (("altered", "{2}/README.txt", ""),), 0),
    # signatures
    Case(
        alter_a_statement,
        "signer",
        6,
        (("altered", "{2}/statement.json", "The signature does not belong"),),
        6,
    ),
    Case(
        put_the_signature_of_another_statement,
        "signer",
        6,
        (
            ("altered", "{2}/statement.json", "The signature does not belong to these bytes"),
            ("altered", "{2}/statement.json.sig", ""),
        ),
        6,
    ),
    Case(
        put_a_signature_of_another_namespace,
        "signer",
        6,
        (("altered", "{2}/statement.json", "The signature was made for another purpose"),),
        6,
    ),
    Case(sign_the_statement_as_a_stranger, "signer", 3, (("unverifiable", "{2}", "Nobody vouches for the key"),), 3),
    Case(sign_the_statement_as_a_stranger, "memory", 3, (("unverifiable", "{2}", "It is signed by"),), 3),
    Case(append_a_bundle_as_a_stranger, "signer", 3, (("unverifiable", LATER, "Nobody vouches for the key"),), 3),
    Case(append_a_bundle_as_a_stranger, "memory", 3, (("unverifiable", LATER, "It is signed by"),), 3),
    Case(
        append_a_bundle_with_a_withdrawn_key_and_an_earlier_date,
        "signer",
        3,
        (("unverifiable", LATER, "Nobody vouches for the key"),),
        3,
    ),
    # chains: what was taken away
    Case(drop_the_newest, "signer", 0, (), 0),  # nothing that lies there tells of more: hence the two others
    Case(drop_the_newest, "memory", 1, (("missing", "{2}", "It was seen from here before: a newer bundle"),), 1),
    Case(drop_the_newest, "head", 1, (("missing", "the head {head}", "No bundle of this chain has that"),), 0),
    Case(roll_back_to_the_first, "memory", 1, (("missing", "{2}", "It was seen from here before"),), 1),
    Case(
        make_the_newest_look_unfinished,
        "signer",
        1,
        (("missing", "{2}/tagmanifest-sha256.txt", "The bundle is signed but lacks its last file"),),
        0,
    ),
    Case(delete_the_base, "signer", 1, (("missing", "{0}", "The bundle {1} builds on it"),), 3),
    Case(delete_the_middle, "signer", 1, (("missing", "{1}", "The bundle {2} builds on it"),), 3),
    # chains: what was moved
    Case(
        exchange_two_bundles,
        "signer",
        1,
        (
            ("unexpected", "{1}", "What lies here is the bundle fann/{2}, moved or copied: a replay"),
            ("unexpected", "{2}", "What lies here is the bundle fann/{1}, moved or copied: a replay"),
        ),
        3,
    ),
    Case(
        replay_the_base_as_the_newest,
        "signer",
        1,
        (("unexpected", LATER, "What lies here is the bundle fann/{0}, moved or copied: a replay"),),
        3,
    ),
    Case(
        copy_a_bundle_of_another_dataset_in,
        "signer",
        1,
        (("unexpected", LATER, "What lies here is the bundle other/" + LATER),),
        3,
    ),
    Case(
        copy_the_dataset_under_another_id,
        "signer",
        1,
        tuple(
            ("unexpected", bundle, f"What lies here is the bundle fann/{bundle}, moved")
            for bundle in ("{0}", "{1}", "{2}")
        ),
        3,
        dataset="other",
    ),
    # chains: what was put there, by the true signer
    Case(fork, "memory", 1, (("unexpected", LATER, "It and {2} both follow {1}: the chain forks"),), 3),
    Case(fork, "signer", 1, (("unexpected", "{2}", f"It and {LATER} both follow {{1}}: the chain forks"),), 3),
    Case(begin_a_second_chain, "memory", 1, (("unexpected", LATER, "It begins a second chain"),), 3),
    Case(
        replace_the_middle_by_another_true_bundle,
        "signer",
        1,
        (("altered", "{1}", "It is not the bundle that {2} builds on"),),
        3,
    ),
    Case(
        replace_the_middle_by_another_true_bundle_of_another_id,
        "signer",
        1,
        (("missing", "{1}", "The bundle {2} builds on it"), ("unexpected", "{1-}zzzzzz", "It is authentic but")),
        3,
    ),
    Case(
        replace_the_base_by_another_true_bundle,
        "signer",
        1,
        (("altered", "{0}", "It is not the bundle that {1} builds on"),),
        3,
    ),
    Case(replace_the_newest_by_another_true_bundle, "signer", 0, (), 0),  # as with a dropped one
    Case(
        replace_the_newest_by_another_true_bundle,
        "memory",
        1,
        (("altered", "{2}", "It is not the bundle that was seen from here before"),),
        1,
    ),
    Case(
        replace_the_newest_by_another_true_bundle, "head", 1, (("missing", "the head {head}", "No bundle of this"),), 0
    ),
    Case(append_a_bundle_whose_id_is_earlier, "signer", 1, (("unexpected", "20200101T000000Z-aaaaaa", ""),), 3),
    Case(use_object_numbers_again, "signer", 1, (("altered", LATER, "It uses object numbers that the bundle {2}"),), 0),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_attack_has_its_finding(
    case: Case, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    head = site.following(2).sha256
    case.attack(site)
    monkeypatch.setenv("REPATRIA_STATE", str(site.folder / ("memory" if case.knows == "memory" else "fresh")))
    told = ["--expect-head", head] if case.knows == "head" else []
    if case.knows != "memory":
        (site.folder / "repatria.toml").write_text('[defaults]\nsigners = "signers"\n')

    ended = code("verify", f"vault/{case.dataset}", "--json", *told)
    records: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    names = {str(place): bundle for place, bundle in enumerate(site.bundles)}
    wanted = [[_named(part, names, head) for part in finding] for finding in case.findings]
    found = [record for record in records if record["type"] == "finding"]
    assert [(each["kind"], each["subject"]) for each in found] == [(kind, subject) for kind, subject, _begin in wanted]
    for each, (_kind, _subject, beginning) in zip(found, wanted, strict=True):
        assert each["detail"].startswith(beginning)
    assert (ended, records[-1]["code"]) == (case.code, case.code)
    assert code("cat", f"vault/{case.dataset}", "reçu.txt", "-i", "key") == case.read
    printed = capsys.readouterr().out
    if case.read in {0, 6}:
        assert printed == ("" if case.read else "Bonjour")


def _named(text: str, bundles: dict[str, str], head: str) -> str:
    for place, bundle in bundles.items():
        text = text.replace(f"{{{place}}}", bundle).replace(f"{{{place}-}}", bundle[:-6])
    return text.replace("{head}", head)
