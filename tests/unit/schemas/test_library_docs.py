"""docs/library.md lists what there is, as it is."""

from schemas import library
from schemas.generate import library_page

PAGE = library_page.PAGE.read_text()


def test_the_tables_of_the_page_are_those_of_the_library() -> None:
    assert library_page.filled(PAGE) == PAGE, "python -m schemas.generate.library_page"


def test_every_resource_of_the_library_is_on_the_page() -> None:
    for resource in library.seed():
        assert f"`{resource['url'].rsplit('/', 1)[1]}` {resource['version']}" in PAGE


def test_a_table_is_written_anew_and_the_rest_stays() -> None:
    changed = PAGE.replace("| Sleep diary<br>", "| Something else<br>").replace(
        "\n| Body scan<br>", "\n| Not here |\n| Body<br>"
    )

    assert changed != PAGE
    assert library_page.filled(changed) == PAGE
