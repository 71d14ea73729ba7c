"""Where the documentation is that the page links to."""

from functools import cache


@cache
def documentation_url() -> str:
    """Where the package says that its documentation is (`project.urls`); empty if it does not."""
    # Imported here: the command line has no need of it.
    from importlib import metadata

    try:
        urls = metadata.metadata("iometer-exporter").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return ""
    named = (url.partition(",") for url in urls)
    return next((url.strip() for name, _, url in named if name.strip().lower() == "documentation"), "")
