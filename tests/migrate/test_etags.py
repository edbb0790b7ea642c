"""What an ETag that is not an object's MD5 tells: much where others are, nothing where none is."""

from repatria.migrate.etags import LARGEST_QUESTION, Etags


def test_where_others_are_md5s_it_speaks_against_the_bytes() -> None:
    etags = Etags()
    etags.agreed("a")
    assert etags.speak_against("a", 1 << 40)
    assert etags.speak_against("a", 1)


def test_of_a_source_not_known_it_asks_one_object_again_and_is_not_believed_then() -> None:
    etags = Etags()
    assert etags.speak_against("a", 10)
    assert not etags.speak_against("a", 10)
    assert etags.speak_against("b", 10), "each source for itself"


def test_a_large_object_is_not_brought_twice_to_find_out() -> None:
    assert not Etags().speak_against("a", LARGEST_QUESTION + 1)


def test_one_that_agrees_later_makes_the_others_tell() -> None:
    etags = Etags()
    etags.speak_against("a", 10)
    etags.agreed("a")
    assert etags.speak_against("a", 10)


def test_what_showed_elsewhere_counts_here_and_what_is_learned_there_stays_there() -> None:
    here = Etags()
    there = here.copy()
    there.agreed("a")
    there.speak_against("b", 10)
    assert here.speak_against("a", LARGEST_QUESTION + 1) is False
    here.learn(there)
    assert here.speak_against("a", LARGEST_QUESTION + 1)
    assert not here.speak_against("b", 10)
