"""The rows of a volume survive the journal, whatever they hold."""

from hypothesis import given
from hypothesis import strategies as st

from repatria.bundle.rows import DescriptionRow, DocumentRow, MemberRow, ObjectRow, PageRow
from repatria.work.sealed_rows import PackedContent, VolumeContent

paths = st.binary(min_size=1, max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
numbers = st.integers(0, 2**62)
texts = st.none() | st.text(max_size=20)
objects = st.builds(
    ObjectRow,
    number=numbers,
    source=st.text(max_size=5),
    path=paths,
    kind=st.just("file"),
    size=numbers,
    sha256=st.binary(min_size=32, max_size=32),
    salt=st.binary(min_size=16, max_size=16),
    mtime_ns=st.none() | st.integers(-(2**62), 2**62),
    link_target=st.none() | paths,
    metadata=texts,
)
members = st.builds(MemberRow, numbers, numbers, numbers, numbers, numbers, numbers)
described = DescriptionRow(7, "boite-12", "3-f-12", '{"title": "Fièvre jaune"}', "fievre jaune")
page = PageRow(1, 1, 100, 200, 300.0, 0, 5, 99.5, "[]", "le texte", "text", "letexte")


@given(st.lists(objects, max_size=4), st.lists(members, max_size=4))
def test_rows_come_back_as_they_were(some: list[ObjectRow], where: list[MemberRow]) -> None:
    content = VolumeContent(some, where, [], [page], [described])
    packed = content.pack()
    assert PackedContent(packed.packed).unpack() == content
    assert packed.size > 0


def test_each_table_is_read_alone_and_in_pieces() -> None:
    rows = [MemberRow(1, number, 0, number, 0, 0) for number in range(2_500)]
    document = DocumentRow(1, "1Z4", "dossier", None, None, None, 1, None, None, None, 1, "fra", None)
    packed = VolumeContent(members=rows, documents=[document]).pack()
    assert list(packed.members()) == rows
    assert list(packed.documents()) == [document]
    assert list(packed.objects()) == []
    assert list(packed.pages()) == []
    assert list(packed.descriptions()) == []
