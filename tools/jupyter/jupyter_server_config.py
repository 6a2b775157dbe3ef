"""What `python course.py lab` changes in Jupyter's server: a chapter that was only opened is not marked as changed."""

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager


class Contents(AsyncLargeFileManager):
    """Reads notebooks as if this Python had saved them.

    JupyterLab writes the kernel's `language_info`, with the version of Python, into a notebook that it opens, and
    marks it as changed where another one stood there.
    """

    async def get(self, *args, **options):
        model = await super().get(*args, **options)
        if model["type"] == "notebook" and model["content"]:
            metadata = model["content"]["metadata"]
            if metadata.get("language_info", {}).get("name") == "python":
                metadata["language_info"] = dict(IPythonKernel.language_info)
        return model


c.ServerApp.contents_manager_class = Contents  # noqa: F821 - Jupyter gives `c`
