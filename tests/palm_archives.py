"""The data sets in small, iChallenge-PM in every form of folder and archive in which people have it."""

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from openpyxl import Workbook

import palm_utils.sample
from palm_course.getting import contents
from palm_utils import datasets

# Enough of a JPEG file for what only copies it; the comment keeps photographs apart.
JPEG = b"\xff\xd8\xff\xfe%s%s\xff\xd9"

TRAINING = ["H0001.jpg", "N0012.jpg", "P0095.jpg", "P0096.jpg"]
VALIDATION = {"V0001.jpg": 0, "V0002.jpg": 1, "V0003.jpg": 1}
TEST = {"T0001.jpg": 1, "T0002.jpg": 0}
FOVEA = {"V0001.jpg": (1157.74, 1019.87), "V0002.jpg": (1285.8, 1080), "V0003.jpg": (0, 0)}

MNIST = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"]

LABELS_CSV = """\
ID,imgName,Label,Fovea_X,Fovea_Y
1,V0001.jpg,0,1157.74,1019.87
2,V0002.jpg,1,1285.80,1080.00
3,V0003.jpg,1,0.00,0.00
"""


def photograph(name):
    return JPEG % ((2 + len(name)).to_bytes(2, "big"), name.encode())


def xlsx(*rows):
    return workbook({"Sheet": rows})


def workbook(sheets):
    """An Excel file of {title: rows}, as bytes."""
    book = Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def zipped(entries):
    """A zip archive of {name: content}, as bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def write(folder, entries):
    for name, content in entries.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Path(folder)


def label_table():
    rows = [(i, name, label, *FOVEA[name]) for i, (name, label) in enumerate(VALIDATION.items(), 1)]
    return xlsx(("ID", "imgName", "Label", "Fovea_X", "Fovea_Y"), *rows)


def ai_studio_files(training=TRAINING, validation=VALIDATION):
    """The files training.zip (a zip in a zip), validation.zip and valid_gt.zip, {name: content}."""
    inner = zipped({f"PALM-Training400/{name}": photograph(name) for name in training})
    return {
        "training.zip": zipped({"PALM-Training400/PALM-Training400.zip": inner}),
        "validation.zip": zipped({f"PALM-Validation400/{name}": photograph(name) for name in validation}),
        "valid_gt.zip": zipped({"PALM-Validation-GT/PM_Label_and_Fovea_Location.xlsx": label_table()}),
    }


def ai_studio(folder, *args, **options):
    return write(folder, ai_studio_files(*args, **options))


def release_files(test=True):
    """The files of the open release, {name: content}, with what else it carries."""
    files = {"__MACOSX/PALM/Training/Images/._H0001.jpg": b"\0\5\26\7", "PALM/.DS_Store": b"\0"}
    splits = {"Training": {name: int(name[0] == "P") for name in TRAINING}, "Validation": VALIDATION}
    if test:
        splits["Testing"] = TEST
    for split, labels in splits.items():
        for name in labels:
            files[f"PALM/{split}/Images/{name}"] = photograph(name)
            files[f"PALM/{split}/Disc Masks/{name[:-4]}.bmp"] = b"BM"
        files[f"PALM/{split}/Classification Labels.xlsx"] = xlsx(("imgName", "Label"), *labels.items())
        fovea = [(name, *FOVEA.get(name, (1, 2))) for name in labels]
        files[f"PALM/{split}/Fovea Localization.xlsx"] = xlsx(("imgName", "Fovea_X", "Fovea_Y"), *fovea)
    return files


def tree(folder):
    """{relative path: content} of the files below `folder`, locks left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


def prepared(test=False):
    """What `tree` of the prepared palm folder should be."""
    files = {f"PALM-Training400/{name}": photograph(name) for name in TRAINING}
    files |= {f"PALM-Validation400/{name}": photograph(name) for name in VALIDATION}
    files["labels.csv"] = LABELS_CSV.encode()
    if test:
        files |= {f"PALM-Test400/{name}": photograph(name) for name in TEST}
        rows = [f"{i},{name},{label},1.00,2.00\n" for i, (name, label) in enumerate(TEST.items(), 1)]
        files["test_labels.csv"] = ("ID,imgName,Label,Fovea_X,Fovea_Y\n" + "".join(rows)).encode()
    return files


def idx(count):
    """The start of a file of images: enough for what only counts them."""
    return gzip.compress(struct.pack(">IIII", 0x0803, count, 28, 28), mtime=0)


def mnist_files(count):
    """{name: content} of MNIST's four files with `count` images each, all of the digit 7."""
    images = gzip.compress(struct.pack(">IIII", 0x0803, count, 28, 28) + bytes(784 * count), mtime=0)
    labels = gzip.compress(struct.pack(">II", 0x0801, count) + b"\7" * count, mtime=0)
    return {f"{name}-ubyte.gz": images if "images" in name else labels for name in MNIST}


def cifar_batch(count, protocol=2):
    """A pickled batch of CIFAR-10 with `count` black airplanes."""
    return pickle.dumps({b"data": np.zeros((count, 3072), np.uint8), b"labels": [0] * count}, protocol)


def tar_gz(*members):
    """A tar.gz archive of (name, content) in this order, as bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def cifar_archive(**counts):
    return tar_gz(*((f"cifar-10-batches-py/{name}", cifar_batch(count)) for name, count in counts.items()))


def data_sets(count):
    """The files of a root with `count` as the number of images that tells it from others."""
    files = {f"palm/{name}": content for name, content in prepared().items()}
    for i in range(count):
        files[f"palm/PALM-Training400/N9{i:03}.jpg"] = photograph(str(i))
    files |= {f"mnist/{name}-ubyte.gz": idx(count) for name in MNIST}
    files["cifar10/cifar-10-python.tar.gz"] = cifar_archive(data_batch_1=count, data_batch_2=1, test_batch=2)
    return files


def bare_checkout(tmp_path, monkeypatch):
    """Make a checkout without data, a user without caches and a quick sample; return the data folder."""
    monkeypatch.delenv("PALM_SAMPLE", raising=False)
    data = tmp_path / "checkout" / "data"
    data.mkdir(parents=True)
    monkeypatch.setattr(datasets, "checkout_data", lambda: data)
    for module in (datasets, palm_utils.sample):
        monkeypatch.setattr(module, "user_cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(contents, "_PADDLE_CACHE", tmp_path / "paddle")

    def sample_root(folder, size="default"):
        root = Path(folder, "sample", size)
        return write(root, data_sets(5) | {"README.txt": b"sample"})

    monkeypatch.setattr(palm_utils.sample, "sample_root", sample_root)
    monkeypatch.setattr(palm_utils.sample, "is_intact", lambda root, size: (root / "README.txt").is_file())
    monkeypatch.setattr(palm_utils.sample, "is_sample", lambda folder: Path(folder, "README.txt").is_file())
    return data
