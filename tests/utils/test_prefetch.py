import pytest

from palm_utils.prefetch import first


@pytest.mark.parametrize("left", [False, True])
def test_of_the_first_batches_no_more_are_made_and_what_makes_them_is_closed(left):
    said = []

    def batches():
        try:
            for i in range(9):
                said.append(i)
                yield i
        finally:
            said.append("closed")

    taken = first(batches(), 3)
    if left:
        assert next(taken) == 0
        taken.close()
        assert said == [0, "closed"]
    else:
        assert list(taken) == [0, 1, 2] and said == [0, 1, 2, "closed"]
    assert list(first([5, 6], 3)) == [5, 6]
