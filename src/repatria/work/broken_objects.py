"""Objects that lost a volume of the unfinished bundle: no row may tell of them, or they would count as copied."""

from repatria.work.journal import Journal
from repatria.work.sealed_rows import PackedContent, VolumeContent

_ROWS = b"volume rows"


def seal_content(journal: Journal, packed: PackedContent) -> bytes:
    """Return a volume's rows as the journal keeps them."""
    return journal.seal(packed.packed, _ROWS)


def kept_content(journal: Journal, number: int) -> PackedContent:
    """Return a volume's rows; nothing if they stand in an index already, or the volume was given up."""
    found = journal.row("SELECT rows FROM volumes WHERE number=?", number)
    if found is None or found[0] is None:
        return VolumeContent().pack()
    return PackedContent(journal.unseal(found[0], _ROWS))


def take_out_broken(journal: Journal, lost: int) -> None:
    """Make unknown what has bytes in the volume `lost`, whichever volume it ends in, and documents that need it.

    No index covers that volume yet, so none tells of these objects. Called within a transaction.
    """
    broken = {member.object for member in kept_content(journal, lost).members()}
    waiting = journal.rows("SELECT number FROM volumes WHERE rows IS NOT NULL AND number<>? ORDER BY number", lost)
    others = {number: kept_content(journal, number).unpack() for (number,) in waiting}
    for content in others.values():
        for row in content.documents_of(broken):
            broken.update(number for number in row.objects if number is not None)
    for number, content in others.items():
        if number > lost and any(member.object in broken for member in content.members):
            # Members of broken objects stay in that volume: the names they have are not free for others.
            journal.change("UPDATE OR IGNORE names SET volume=? WHERE volume=?", number, lost)
        _rewrite(journal, number, content, broken)
    journal.change_many("DELETE FROM taken WHERE number=?", ((number,) for number in broken))
    journal.change_many("DELETE FROM parts WHERE object=? AND volume>=?", ((number, lost) for number in broken))


def _rewrite(journal: Journal, number: int, content: VolumeContent, broken: set[int]) -> None:
    rest = content.without(broken)
    if rest == content:
        return
    packed = rest.pack()
    journal.change(
        "UPDATE volumes SET rows=?, row_bytes=?, objects=?, pages=? WHERE number=?",
        seal_content(journal, packed),
        packed.size,
        len(rest.objects),
        len(rest.pages),
        number,
    )
    gone = [(row.number,) for row in content.documents_of(broken)]
    journal.change_many("DELETE FROM documents WHERE number=?", gone)
