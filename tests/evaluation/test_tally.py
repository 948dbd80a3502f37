import numpy as np
import pytest

from genrec.evaluation.tally import again


@pytest.mark.parametrize("width", [0, 1, 2, 10, 64, 65, 130])
def test_items_that_stand_further_ahead_are_found_in_rows_of_any_width(width):
    rows = np.random.default_rng(width).integers(-1, 40, (200, width))
    expected = [[item >= 0 and item in row[:place] for place, item in enumerate(row)] for row in rows.tolist()]
    assert again(rows).tolist() == expected
