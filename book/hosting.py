"""Where the repository is hosted. Links that depend on it come from here, and are left out while it is empty."""

from urllib.parse import quote

# Such as "https://github.com/NAME/REPOSITORY", without a slash at the end.
REPOSITORY = ""
BRANCH = "main"


def source_url(path: str, repository: str = REPOSITORY) -> str:
    """Return the address of a file or folder, a path from the repository's root; "" without a repository."""
    # GitHub, GitLab and Gitee all understand blob/BRANCH, for folders as well.
    return f"{repository}/blob/{BRANCH}/{quote(path)}" if repository else ""


def run_url(path: str, repository: str = REPOSITORY) -> str:
    """Return the address that opens a notebook on mybinder.org; "" without a repository."""
    if not repository:
        return ""
    return f"https://mybinder.org/v2/git/{quote(repository, safe='')}/{BRANCH}?labpath={quote(path, safe='')}"
