"""Every payload file read from the store and hashed: what anyone can do without a key."""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from repatria.bundle.errors import BundleError
from repatria.bundle.files import BundleFolder
from repatria.errors import NotFoundError, RefusedError
from repatria.i18n import _
from repatria.progress import SILENT, Progress
from repatria.verify.report import Verdict, altered, missing, unverifiable

WORKERS = 8
_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


def check_files(
    folder: BundleFolder,
    digests: Mapping[str, bytes],
    *,
    workers: int = WORKERS,
    progress: Progress = SILENT,
    note: Callable[[str, Verdict | None], None] = lambda _path, _verdict: None,
) -> Iterator[Verdict]:
    """Read every file of `digests` (path -> SHA-256) and yield those that are not what they were.

    Memory is that of a few pieces; StoreError if the store cannot be reached. `note` is told of each file as soon as it
    was judged, in the thread that read it; None is a file that is what it was.
    """
    stopping = threading.Event()

    def check(path: str) -> Verdict | None:
        def read() -> None:
            digest = hashlib.sha256()
            for chunk in folder.chunks(path):
                if stopping.is_set():
                    return
                digest.update(chunk)
                progress.advance(len(chunk))
            if digest.digest() != digests[path]:
                raise BundleError(_("Its bytes have another SHA-256 than was signed. Restore it from a second copy."))

        verdict = judged(f"{folder.bundle_id}/{path}", read)
        if not stopping.is_set():  # else it may not have been read to its end
            note(path, verdict)
        return verdict

    for verdict in in_order(check, digests, workers=workers, window=4 * workers, stopping=stopping):
        if verdict is not None:
            yield verdict


def judged(subject: str, read: Callable[[], object]) -> Verdict | None:
    """Run `read` and return the verdict that its failure stands for; other errors of the store come through."""
    try:
        read()
    except NotFoundError:
        return missing(subject, _("It is not there. Restore it from a second copy."))
    except BundleError as error:
        return altered(subject, error.message)
    except RefusedError as error:
        return unverifiable(subject, error.message if error.public else _("The store refuses to give it."))
    return None


def in_order(
    work: Callable[[_Item], _Made],
    items: Iterable[_Item],
    *,
    workers: int,
    window: int,
    stopping: threading.Event | None = None,
) -> Iterator[_Made]:
    """Yield `work(item)` for every item, in order, with at most `window` of them under way or waiting.

    Where it ends early (an error, Ctrl-C), `stopping` is set: what is under way is waited for, and may heed it.
    """
    pending: deque[Future[_Made]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="verify") as executor:
        try:
            for item in items:
                pending.append(executor.submit(work, item))
                if len(pending) >= window:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            if stopping is not None:
                stopping.set()
            for future in pending:
                future.cancel()
