"""Ibis 12 asks DuckDB 2 and pandas 3 in ways that both will drop; that is not ours to mend."""

import pytest

IGNORED = ("ignore:fetch_arrow_table:DeprecationWarning", "ignore:.*infer_string:DeprecationWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for text in IGNORED:
            item.add_marker(pytest.mark.filterwarnings(text))
