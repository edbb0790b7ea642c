"""`keys split` and `keys join`: pages for custodians, and the key from what they type."""

import json
import os
import pty
import select
import stat
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
import shamir_mnemonic
from shamir_mnemonic.wordlist import WORDLIST

from repatria.cli.share_dialogue import ShareEntry
from repatria.crypt.identity import generate, load_identities
from repatria.crypt.key_files import identity_text, locked_with, write_key_pair
from repatria.crypt.recipient import fingerprint
from repatria.crypt.share_words import WORDS
from repatria.crypt.shares import split

IDENTITY = generate(classic=True)
MARK = fingerprint(IDENTITY.recipient)
SHARES = split(IDENTITY, 5, 3)


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "COLUMNS": "200"} | more


def repatria(folder: Path, *arguments: str, typed: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "repatria", *arguments],
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment(folder, **more),
        start_new_session=True,
    )


def key_file(folder: Path, name: str = "key", classic: bool = False) -> str:
    identity = generate(classic)
    write_key_pair(folder / name, identity_text([identity]), f"{identity.recipient}\n")
    return fingerprint(identity.recipient)


def words_on(page: Path) -> str:
    """Return the words of a printed page in the order of their numbers, as a custodian reads them."""
    text = subprocess.run(["pdftotext", "-layout", page, "-"], capture_output=True, check=True, text=True).stdout
    known = set(WORDLIST)
    numbered: dict[int, str] = {}
    for number, word in pairwise(text.split()):
        if number.isdecimal() and 1 <= int(number) <= WORDS and word in known:
            numbered.setdefault(int(number), word)
    assert sorted(numbered) == list(range(1, WORDS + 1))
    return " ".join(word for _number, word in sorted(numbered.items()))


def share_file(folder: Path, number: int, text: str | None = None) -> str:
    file = folder / f"share-{number}.txt"
    file.write_text(SHARES[number - 1].mnemonic if text is None else text)
    file.chmod(0o600)
    return file.name


@pytest.mark.parametrize("classic", [False, True])
def test_from_a_key_to_paper_and_back(tmp_path: Path, classic: bool) -> None:
    mark = key_file(tmp_path, classic=classic)
    done = repatria(
        tmp_path, "keys", "split", "key", "--shares", "3", "--threshold", "2", "-o", "pages", "--for", "CHU"
    )
    assert done.returncode == 0, done.stderr
    pages = sorted((tmp_path / "pages").iterdir())
    assert [page.name for page in pages] == [f"key-share-{number}-of-3.pdf" for number in (1, 2, 3)]
    assert {stat.S_IMODE(page.stat().st_mode) for page in pages} == {0o600}
    assert stat.S_IMODE((tmp_path / "pages").stat().st_mode) == 0o700
    assert mark in done.stdout
    assert "in clear" in done.stderr
    read = [words_on(page) for page in pages[1:]]
    assert not [line for line in read if line in done.stdout + done.stderr]

    back = repatria(tmp_path, "keys", "join", "-o", "back", "--fingerprint", mark, typed="\n".join(read))
    assert back.returncode == 0, back.stderr
    (was,), (now,) = load_identities(tmp_path / "key", None), load_identities(tmp_path / "back", None)
    assert now.secret_text() == was.secret_text()
    assert stat.S_IMODE((tmp_path / "back").stat().st_mode) == 0o600
    assert (tmp_path / "back.pub").read_text() == (tmp_path / "key.pub").read_text()
    assert "in clear" in back.stderr


def test_pages_are_never_overwritten(tmp_path: Path) -> None:
    key_file(tmp_path)
    (tmp_path / "key-share-2-of-3.pdf").write_text("here first")
    done = repatria(tmp_path, "keys", "split", "key", "--shares", "3", "--threshold", "2")
    assert done.returncode == 2
    assert "there already" in done.stderr
    assert [path.name for path in tmp_path.glob("*.pdf")] == ["key-share-2-of-3.pdf"]


def test_a_locked_key_is_split_after_its_passphrase(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(locked_with("mot de passe", identity_text([IDENTITY])))
    (tmp_path / "key").chmod(0o600)
    arguments = ("keys", "split", "key", "--shares", "3", "--threshold", "3", "--json")
    done = repatria(tmp_path, *arguments, REPATRIA_PASSPHRASE_COMMAND="echo mot de passe")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["number"] for record in records[:-1]] == [1, 2, 3]
    assert {record["fingerprint"] for record in records[:-1]} == {MARK}
    assert records[-1]["next"] == "repatria keys join --check"
    assert "All shares are needed" in done.stderr

    wrong = repatria(tmp_path, *arguments, "-o", "x", REPATRIA_PASSPHRASE_COMMAND="echo autre")
    assert wrong.returncode == 6
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(("scheme", "code"), [(("5", "1"), 2), (("3", "4"), 2), (("17", "2"), 2), (("five", "3"), 2)])
def test_schemes_that_cannot_be(tmp_path: Path, scheme: tuple[str, str], code: int) -> None:
    key_file(tmp_path)
    done = repatria(tmp_path, "keys", "split", "key", "--shares", scheme[0], "--threshold", scheme[1])
    assert done.returncode == code
    assert not list(tmp_path.glob("*.pdf"))


def test_a_file_of_two_identities_is_not_split(tmp_path: Path) -> None:
    write_key_pair(tmp_path / "key", identity_text([generate(), generate()]), "")
    done = repatria(tmp_path, "keys", "split", "key", "--shares", "3", "--threshold", "2")
    assert done.returncode == 2
    assert "2 identities" in done.stderr


def test_share_files_as_people_type_them(tmp_path: Path) -> None:
    numbered = "\n".join(f"{number}. {word[:4]}" for number, word in enumerate(SHARES[0].words, 1))
    files = [
        share_file(tmp_path, 1, f"# Awa Diop\nFingerprint: {MARK.upper()}\n{numbered}\n"),
        share_file(tmp_path, 2, "\n".join(" ".join(SHARES[1].words[start : start + 8]) for start in range(0, 33, 8))),
        share_file(tmp_path, 3),
    ]
    done = repatria(tmp_path, "keys", "join", "--check", *files)
    assert done.returncode == 0, done.stderr
    assert MARK in done.stdout
    assert "Nothing was written" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == files


def test_shares_of_the_library_alone_join(tmp_path: Path) -> None:
    key_file(tmp_path)
    secret = bytes(32)
    ((*mnemonics,),) = shamir_mnemonic.generate_mnemonics(1, [(3, 5)], secret)
    done = repatria(tmp_path, "keys", "join", "-o", "back", "--kind", "hybrid", typed="\n".join(mnemonics[:3]))
    assert done.returncode == 0, done.stderr
    assert "No fingerprint was compared" in done.stderr
    (identity,) = load_identities(tmp_path / "back", None)
    assert identity.recipient.kind == "hybrid"


def test_what_is_wrong_is_named_and_no_word_repeated(tmp_path: Path) -> None:
    words = list(SHARES[1].words)
    words[16] = "zero" if words[16] != "zero" else "academic"
    first, wrong = share_file(tmp_path, 1), share_file(tmp_path, 2, " ".join(words))
    other = share_file(tmp_path, 4, split(IDENTITY, 5, 3)[3].mnemonic)
    for files, said in [
        ((first, wrong), "share-2.txt: Word 17 is wrong"),
        ((first,), "2 more shares are needed: only 1 of set"),
        ((first, other), "Share 4 is of another set"),
    ]:
        done = repatria(tmp_path, "keys", "join", "-o", "back", *files)
        assert done.returncode == 6
        assert said in done.stderr
        assert not [pair for pair in pairwise(SHARES[1].words) if " ".join(pair) in done.stderr]
        assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("-o", "back"), "which key this is", 2),
        ((), "either where", 2),
        (("-o", "back", "--check"), "either where", 2),
        (("-o", "no/back"), "does not exist", 2),
        (("-o", "back", "--fingerprint", "0000" * 8), "is not 0000-0000", 6),
        (("-o", "back", "--fingerprint", "12"), "eight groups", 6),
        (("-o", "key", "--fingerprint", MARK), "there already", 2),
        (("-o", "back", "-r", "key.pub"), "its fingerprint is not", 6),
        (("-o", "back", "-r", "key.pub", "--fingerprint", MARK), "must name one key", 2),
    ],
)
def test_the_key_must_be_the_one_that_is_wanted(
    tmp_path: Path, arguments: tuple[str, ...], said: str, code: int
) -> None:
    key_file(tmp_path)
    done = repatria(tmp_path, "keys", "join", *arguments, typed="\n".join(share.mnemonic for share in SHARES[:3]))
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "back").exists()


def test_share_files_that_others_may_read_or_that_are_pages(tmp_path: Path) -> None:
    open_file = share_file(tmp_path, 1)
    (tmp_path / open_file).chmod(0o644)
    done = repatria(tmp_path, "keys", "join", "--check", open_file)
    assert done.returncode == 6
    assert "Others may read" in done.stderr
    done = repatria(tmp_path, "keys", "join", "--check", share_file(tmp_path, 2, "%PDF-1.4"))
    assert done.returncode == 6
    assert "page to print" in done.stderr


def test_a_joined_key_can_be_locked(tmp_path: Path) -> None:
    done = repatria(
        tmp_path,
        *("keys", "join", "-o", "back", "--fingerprint", MARK, "--passphrase"),
        typed="\n".join(share.mnemonic for share in SHARES[:3]),
        REPATRIA_PASSPHRASE_COMMAND="echo mot de passe",
    )
    assert done.returncode == 0, done.stderr
    (identity,) = load_identities(tmp_path / "back", lambda _prompt: "mot de passe")
    assert identity.secret_text() == IDENTITY.secret_text()
    assert "in clear" not in done.stderr


class Terminal:
    """A pseudo-terminal with the program at its other end."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._own, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "repatria", *arguments],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            cwd=folder,
            env=environment(folder, TERM="xterm"),
        )
        os.close(theirs)
        self._seen = ""

    def expect(self, text: str) -> str:
        """Return what was shown up to and with `text`, which must come within a minute."""
        end = time.monotonic() + 60
        while text not in self._seen:
            ready, _w, _x = select.select([self._own], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{text!r} did not come; seen: {self._seen!r}"
            self._seen += os.read(self._own, 65536).decode()
        before, found, self._seen = self._seen.partition(text)
        return before + found

    def type(self, line: str) -> None:
        os.write(self._own, f"{line}\n".encode())

    def close(self) -> tuple[int, str]:
        assert self.process.stdout is not None
        printed = self.process.stdout.read().decode()
        self.process.stdout.close()
        code = self.process.wait(60)
        os.close(self._own)
        return code, printed


def test_custodians_at_a_terminal(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "keys", "join", "-o", "back")
    first, second, third = SHARES[0], SHARES[2], SHARES[4]

    terminal.expect("Word 1 of 33:")
    terminal.type(" ".join(first.words[:20]))
    terminal.expect("Word 21 of 33:")
    terminal.type(" ".join(first.words[20:]))
    shown = terminal.expect(f"Share 1 of set {first.identifier} is right. 2 more shares are needed.")
    assert shown.index("\x1b[2J") < shown.index("\x1b[?1049l")

    terminal.expect("Word 1 of 33:")
    terminal.type(" ".join([*second.words[:6], "nonsense", *second.words[7:]]))
    terminal.expect("Word 7 is not in the list")
    terminal.expect("Word 7 of 33:")
    wrong = "zero" if second.words[6] != "zero" else "academic"
    terminal.type(" ".join([wrong, *second.words[7:]]))
    terminal.expect("Word 7 is wrong")
    terminal.expect("Number and word to correct:")
    terminal.type(f"7 {second.words[6]}")
    terminal.expect("1 more share is needed.")

    terminal.expect("Word 1 of 33:")
    terminal.type(first.mnemonic)
    terminal.expect("Share 1 was given already")
    terminal.expect("Word 1 of 33:")
    terminal.type(split(IDENTITY, 5, 3)[1].mnemonic)
    terminal.expect("is of another set")
    terminal.expect("Word 1 of 33:")
    terminal.type(third.mnemonic)

    terminal.expect("Fingerprint on the pages:")
    terminal.type("0000" * 8)
    terminal.expect(f"as a classical one, {MARK}")
    terminal.expect("Fingerprint on the pages:")
    terminal.type(MARK)
    code, printed = terminal.close()
    assert code == 0
    assert MARK in printed
    (identity,) = load_identities(tmp_path / "back", None)
    assert identity.secret_text() == IDENTITY.secret_text()


def test_a_terminal_that_ends_says_how_many_shares_are_wanted(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "keys", "join", "--check")
    terminal.expect("Word 1 of 33:")
    terminal.type(SHARES[0].mnemonic)
    terminal.expect("2 more shares are needed.")
    terminal.expect("Word 1 of 33:")
    terminal.type("\x04")
    terminal.expect("2 more shares are needed: only 1 of set")
    assert terminal.close()[0] == 6


def test_words_are_entered_in_order_or_by_number() -> None:
    entry = ShareEntry()
    words = SHARES[0].words
    assert entry.take(" ".join(words[:3])) == []
    assert entry.next == 4
    assert entry.take("nonsense") == [4]
    assert entry.take("5 " + words[4]) == []
    assert entry.next == 4
    assert entry.take(f"4. {words[3]} {words[4]}") == []
    assert entry.take(" ".join(words[5:])) == []
    assert entry.next is None
    assert entry.share() == SHARES[0]
    assert entry.take("academic") == [34]
    assert entry.take("0 academic") == [0]
    assert entry.take("34 academic") == [34]
    assert entry.share() == SHARES[0]
