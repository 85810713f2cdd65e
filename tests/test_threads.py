import time

import pytest

from morphene_core.audio.threads import Advance, in_threads
from morphene_core.progress import Progress, silent


def test_results_come_in_the_order_of_the_items() -> None:
    def work(item: int, advance: Advance) -> int:
        time.sleep(0.02 * (5 - item))
        advance(1)
        return item * item

    lines: list[str] = []
    progress = Progress("Squaring", 5, lines.append)
    assert in_threads(work, range(5), progress) == [0, 1, 4, 9, 16]
    assert lines[-1].startswith("Squaring: 5 of 5")


def test_the_first_error_is_raised_and_all_other_work_is_abandoned() -> None:
    abandoned = []

    def work(item: int, advance: Advance) -> None:
        if item == 0:
            raise ValueError("the first")
        try:
            for _ in range(1000):
                time.sleep(0.01)
                advance(1)
        except BaseException:
            abandoned.append(item)
            raise

    with pytest.raises(ValueError, match="the first"):
        in_threads(work, range(50), Progress("Working", 1, silent))
    assert len(abandoned) < 10
