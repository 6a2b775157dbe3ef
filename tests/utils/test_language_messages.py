"""Exercises, progress, claims and commands in Chinese."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from exercise_verdicts import right_size
from student_notebooks import RIGHT, WRONG, chapter_one

from palm_course import chapters as notebooks
from palm_course import claims, exercises
from palm_course.command import main
from palm_course.exercises import Wrong, registry
from palm_course.students import judging


@pytest.fixture
def chinese(monkeypatch):
    monkeypatch.setenv("PALM_LANG", "zh")


def wrong_size(size, kernel, stride=1, padding=0):
    print("size", size)
    return (size + 2 * padding - kernel) // stride


@pytest.mark.usefixtures("chinese")
def test_a_wrong_answer(capsys):
    with pytest.raises(Wrong) as caught:
        exercises.check("1.1", wrong_size)
    lines = str(caught.value).splitlines()
    assert lines.pop(4).startswith("  你的代码打印了：size 28 size 24 size 224 ")
    assert lines == [
        "✗ 练习 1.1 还不对：结果少了一：移动之前的那个位置也要算上。",
        "  尝试：    conv_output_size(28, 5)",
        "  期望：    24",
        "  得到：    23",
        "  提示：把卷积核放在填充后输入的最左端，它的右边还剩多少个像素可以移动？",
        '  还没有思路？exercises.hint("1.1") 给出更多提示，exercises.solution("1.1") 给出完整答案。',
    ]
    exercises.check("1.1", right_size)
    exercises.hint("1.1")
    out = capsys.readouterr().out
    assert out.startswith("✓ 练习 1.1：不管卷积和池化怎么叠加，你都能算出图像的大小。\n练习 1.1：填充之后共有")


def raises(size, kernel, stride=1, padding=0):
    return size.half


RAISED = raises.__code__.co_firstlineno + 1


def changes_a_setting(size, kernel, stride=1, padding=0):
    os.chdir(os.sep)
    return right_size(size, kernel, stride, padding)


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (24, "检查需要的是函数或类本身，而不是调用它得到的结果。"),
        (raises, f"运行时抛出了 AttributeError，位置：raises 的第 {RAISED} 行（`return size.half`）。"),
        (changes_a_setting, "你的代码改变了工作目录（os.chdir），会影响之后运行的一切。现在已经恢复原状。"),
        (lambda size, kernel, stride=1, padding=0: None, "你的函数什么也没有返回：是不是漏了 `return`？"),
        (lambda size, kernel, stride=1, padding=0: [1, 2], "应当返回 1 个数。"),
        (lambda size: size, "不能这样调用你的函数：too many positional arguments。"),
        (lambda size, kernel, stride=1, padding=0: 24 if size == 28 else 0, "试了 27 组输入，其中 1 组正确。"),
    ],
)
def test_faults_that_any_answer_can_have(answer, fault, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = exercises.examine("1.1", answer).message.splitlines()
    assert lines[0] == f"✗ 练习 1.1 还不对：{fault}"
    # No English is left but the student's code and the names of Python and PaddlePaddle.
    assert not re.search(r"\b(the|is|it|and|of|for)\b", re.sub(r"`[^`]*`", "", "\n".join(lines))), lines


@pytest.mark.usefixtures("chinese")
def test_the_table_of_progress(capsys):
    names = {"conv_output_size": right_size, "lenet_parameters": lambda num_classes, in_channels=1: 1}
    registry.progress(1, names)
    assert capsys.readouterr().out.splitlines()[:4] == [
        "共 6 个练习，已完成 1 个",
        "✓ 1.1  输出有多大？                           正确",
        "✗ 1.2  数一数 LeNet 的参数                    错误：不管输入什么，你的函数都给出同样的答案。",
        "· 1.3  用于彩色小照片的 LeNet                 尚未运行",
    ]


def test_solutions_have_chinese_comments_where_there_are_some(tmp_path, monkeypatch, capsys):
    def solution(language):
        monkeypatch.setenv("PALM_LANG", language)
        exercises.solution("1.1")
        return capsys.readouterr().out

    monkeypatch.setattr(registry, "FOLDER", tmp_path / "solutions")
    for folder, comment in ((tmp_path / "solutions", "# round down"), (tmp_path / "zh" / "solutions", "# 向下取整")):
        folder.mkdir(parents=True)
        cell = nbformat.v4.new_code_cell(comment, metadata={"tags": ["solution:1.1"]})
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "01_x.ipynb")
    assert [solution("en"), solution("zh")] == ["# round down\n", "# 向下取整\n"]
    (tmp_path / "zh" / "solutions" / "01_x.ipynb").unlink()
    assert solution("zh") == "# round down\n"


def test_a_claim_and_its_failure_are_translated_and_what_is_claimed_is_not(monkeypatch, capsys):
    for language, end in (
        ("en", "at least 0.9.* - it does not hold on this machine.*the next cell"),
        ("zh", "在这台机器上不成立.*下一个单元格"),
    ):
        monkeypatch.setenv("PALM_LANG", language)
        claims.claim("accuracy", 0.96, real=True, at_least=0.95, at_most=0.99)
        claims.claim("accuracy", 0.5, real=False, at_least=0.9)
        with pytest.raises(claims.ClaimFailed, match=end):
            claims.claim("accuracy", 0.5, real=True, at_least=0.9)
    assert capsys.readouterr().out.splitlines() == [
        "accuracy: 0.9600 (stated: at least 0.95 and at most 0.99) ✓",
        "accuracy: 0.5000 (stated: at least 0.9) - not checked on the sample",
        "accuracy：0.9600（正文：至少 0.95，至多 0.99） ✓",
        "accuracy：0.5000（正文：至少 0.9） - 用样例数据时不检查",
    ]


def command(*arguments, **variables):
    """Run `python -m palm_utils` in an environment with these variables, without any package."""
    names = ("PALM_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    env = {name: value for name, value in os.environ.items() if name not in names}
    env |= {"PYTHONUTF8": "1", **variables}
    run = [sys.executable, "-S", "-m", "palm_utils", *arguments]
    return subprocess.run(
        run, cwd=Path(__file__).parents[2], env=env, capture_output=True, text=True, encoding="utf-8", errors="replace"
    )


@pytest.mark.parametrize(
    ("locale", "said"),
    [("zh_CN.UTF-8", ("无法检查（", "没有安装；请运行")), ("C", ("cannot be looked at (", "not installed; run"))],
)
def test_the_doctor_follows_the_locale(locale, said):
    done = command("doctor", LANG=locale)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    for words in ("OK    Python", f"FAIL  paddle                  {said[0]}", f"{said[1]} `python"):
        assert words in done.stdout


def test_help_follows_the_locale():
    chinese = command("--help", LC_ALL="zh_CN.UTF-8").stdout
    assert "本课程配套的工具。" in chinese and "检查 Python、软件包、设备、数据和磁盘" in chinese
    english = command("--help", LC_ALL="C.UTF-8").stdout
    assert english.startswith("usage: python -m palm_utils") and "check Python, packages, device" in english
    lines = [line.split()[0] for line in english.splitlines() if re.match(r"    \w", line)]
    assert lines == [line.split()[0] for line in chinese.splitlines() if re.match(r"    \w", line)]
    assert {"data", "run", "train", "doctor"} <= {*lines}


def test_a_console_that_lacks_the_characters():
    done = command("--help", PALM_LANG="zh", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0 and done.stderr == "" and "progress  ????" in done.stdout


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course whose first chapter is there in both languages."""
    monkeypatch.setattr(notebooks, "FOLDER", folder := tmp_path / "notebooks")
    for edition in (folder, folder / "zh"):
        chapter_one(edition / "01_lenet_mnist.ipynb")
    return folder


def printed(capsys, *arguments, having=""):
    """Run a command; return the lines with these words."""
    assert main([*arguments]) == 0
    return [line for line in capsys.readouterr().out.splitlines() if having in line]


def test_progress_is_that_of_the_edition_that_the_student_works_in(course, monkeypatch, capsys):
    english, chinese = "01_lenet_mnist: 0 of 6 exercises done", "共 6 个练习，已完成 0 个"
    total = "0 of 6 exercises done, in the notebooks as they were last saved"
    assert printed(capsys, "progress", having="done") == [english, total]
    assert printed(capsys, "progress", "zh/01", having="done") == [f"zh/{english}", total]
    monkeypatch.setenv("PALM_LANG", "zh")
    zh_total = f"{chinese}（按 notebook 最近一次保存的内容）"
    assert printed(capsys, "progress", having="已完成") == [f"zh/01_lenet_mnist：{chinese}", zh_total]
    (course / "zh" / "02_x.ipynb").write_text("damaged")
    assert printed(capsys, "progress", having="`python course.py reset --chapter zh/02` 会换上一份全新的")
    assert main(["progress", "zh/07"]) == 1
    assert "'07'" in capsys.readouterr().err


def test_answers_in_the_other_edition_are_shown_as_well(course, monkeypatch, capsys):
    chapter_one(course / "zh" / "01_lenet_mnist.ipynb", {"1.1": WRONG})
    monkeypatch.setattr(judging, "judge", lambda path: [judging.Result("1.1", "wrong", "no", ("no",))] * 6)
    assert printed(capsys, "progress", "01", having="done") == [
        "01_lenet_mnist: 0 of 6 exercises done",
        "zh/01_lenet_mnist: 0 of 6 exercises done",
        "0 of 12 exercises done, in the notebooks as they were last saved",
    ]


@pytest.mark.usefixtures("chinese")
def test_the_process_that_runs_the_answers_speaks_chinese_too(tmp_path, capsys):
    folder = tmp_path / "class"
    chapter_one(folder / "王小明.ipynb", {"1.1": WRONG, "1.2": RIGHT.replace("conv_output_size", "lenet_parameters")})
    (folder / "broken.ipynb").write_text("<<<<<<<")
    lines = printed(capsys, "grade", str(folder), "--output", str(tmp_path / "g.csv"), "--jobs", "1")
    assert lines[0].startswith("这会以你的权限运行学生的代码")
    assert lines[-1].startswith("2 名学生，7 行（") and "4 尚未作答" in lines[-1]
    header, *rows = csv.reader((tmp_path / "g.csv").read_text("utf-8-sig").splitlines())
    assert header == ["student", "exercise", "verdict", "message"]
    found = {tuple(row[:3]): row[3] for row in rows}
    fault = "结果少了一：移动之前的那个位置也要算上。 | 尝试： conv_output_size(28, 5) | 期望： 24 | 得到： 23"
    assert found["王小明", "1.1", "wrong"] == fault
    assert found["王小明", "1.2", "wrong"].startswith("不能这样调用你的函数：")
    assert found["王小明", "1.3", "not attempted"] == "尚未作答。"
    assert "broken.ipynb 不是 notebook，或已损坏（" in found["broken", "", "unreadable"]
