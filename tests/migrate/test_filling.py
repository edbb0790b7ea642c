"""What stands in an object's row beside what its source told."""

from pathlib import Path

from repatria.bundle.chain import Chain
from tests.migrate.making import Job, folder_source, write
from tests.work.making import IDENTITY


def test_each_object_has_a_salt_of_its_own_lest_equal_ones_show_in_the_tree(tmp_path: Path) -> None:
    folder = write(tmp_path / "abroad", {f"{number:03}.txt": b"the same" for number in range(600)})
    job = Job([folder_source(folder)], tmp_path / "state")
    job.run()
    salts = {row.salt for _owner, row in Chain.load(job.target, "d", identities=[IDENTITY]).objects()}
    assert len(salts) == 600
    assert {len(salt) for salt in salts} == {16}
