from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data():
    """Give folders of the real test data that lie beside the checkout, or skip."""

    def folder(name):
        if not (SHARED / name).is_dir():
            pytest.skip(f"The shared test data are not beside the checkout: {SHARED / name}")
        return SHARED / name

    return folder
