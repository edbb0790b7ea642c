"""A watch with the fake engine, as a process that tests may kill: `python -m tests.ocr.watching FOLDER`."""

import sys
from contextlib import AbstractContextManager
from pathlib import Path

from repatria.bundle.statement import SourceFacts
from repatria.errors import StoppedError
from repatria.ocr.batch import Wishes
from repatria.ocr.share import Share
from repatria.ocr.watch import Rhythm, Watch
from repatria.work.bundling import BundleRun
from repatria.work.lock import dataset_lock
from repatria.work.patience import Patience
from repatria.work.stop import StopSignal
from tests.ocr.archives import DATASET, Archive
from tests.ocr.making import FAKE

QUICK = Rhythm(pages=6, idle=0.4, settle=0.1, glance=0.05)


def watch_of(
    archive: Archive,
    rhythm: Rhythm = QUICK,
    stop: StopSignal | None = None,
    wishes: Wishes | None = None,
    share: Share | None = None,
) -> Watch:
    """Return a watch of a folder: of `share` beside the archive, unless told."""
    stop = stop or StopSignal()
    patience = Patience(stop)
    share = share or Share(archive.folder / "share")

    def open_run() -> AbstractContextManager[BundleRun]:
        return archive.run([SourceFacts(name="", uri=share.source().public_uri)], patience)

    return Watch(
        share,
        archive.desk,
        rhythm,
        open_run=open_run,
        wishes=lambda: wishes or Wishes(FAKE, workers=2),
        is_intact=lambda _uri: True,
        patience=patience,
        lease=lambda: share.leased(DATASET, archive.state, stop),
    )


def main() -> None:
    archive = Archive.at(Path(sys.argv[1]))
    with StopSignal() as stop, dataset_lock(archive.state, DATASET):
        try:
            for _told in watch_of(archive, stop=stop).run():
                pass
        except StoppedError:
            sys.exit(8)


if __name__ == "__main__":
    main()
