"""ImageNet weights for paddle.vision.models, without the wait that pretrained=True can mean: minutes, or for ever."""

from pathlib import Path

from palm_course.getting.contents import has_checksum
from palm_course.getting.download import Remote, download
from palm_utils.datasets import data_folder
from palm_utils.files import can_be_written, expanded
from palm_utils.messages import DataNotFound, WrongArgument, mark

# PaddlePaddle's own cache (paddle.utils.download.WEIGHTS_HOME).
_PADDLE_CACHE = Path("~/.cache/paddle/hapi/weights")
_TIMEOUT = (5.0, 20.0)


def find_weights(architecture: str) -> Path | None:
    """Return the file of ImageNet weights for "resnet18", … where it lies here, by its md5, else None."""
    url, md5 = _source(architecture)
    files = (folder / url.rpartition("/")[2] for folder in _folders())
    # PaddlePaddle unpickles what it loads; what is not the published file does not get there.
    return next((file for file in files if has_checksum(file, "md5", md5)), None)


def pretrained_weights(architecture: str, *, download_it: bool = False, timeout=_TIMEOUT) -> Path:
    """Return the file of ImageNet weights, downloaded where that is asked for.

    It goes into PaddlePaddle's cache, or into `weights/` of the data folder where that cannot be written to.
    timeout: seconds to wait for a connection, and for the next bytes. Raises at once DataNotFound where the file is not
    here and no download is asked for; DownloadError where the server cannot be reached in time.
    """
    if found := find_weights(architecture):
        return found
    url, md5 = _source(architecture)
    if not download_it:
        values = {"architecture": architecture, "folder": _PADDLE_CACHE.as_posix(), "url": url}
        raise DataNotFound(
            "No ImageNet weights of {architecture} on this machine ({folder}). Download them: "
            "pretrained_weights({architecture!r}, download_it=True); or by hand: {url}",
            **values,
        )
    own, shared = _folders()
    target = (shared if shared.is_absolute() and can_be_written(shared) else own) / url.rpartition("/")[2]
    download([Remote(url, target, "md5", md5)], timeout=timeout)
    return target


def _folders() -> tuple[Path, Path]:
    return data_folder() / "weights", expanded(_PADDLE_CACHE)


def _source(architecture: str) -> tuple[str, str]:
    from paddle.vision.models import resnet

    if architecture not in resnet.model_urls:
        template = mark("PaddlePaddle has no ImageNet weights of {architecture!r}; it has them of {known}")
        raise WrongArgument(template, architecture=architecture, known=", ".join(resnet.model_urls))
    return resnet.model_urls[architecture]
