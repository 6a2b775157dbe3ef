"""The page of measured results, made from results/*.json by palm_utils; no figure is typed."""

from statistics import mean

_TEXT = {
    "en": {
        "intro": "Every figure here is read from the files in `results/`, one for each training run on the real "
        "photographs (chapter 1: on the real MNIST; chapter 7: on the real CIFAR-10; its "
        "recipe `eyes`: on the photographs at 32 x 32 pixels). Chapter 8 compares the networks.",
        "columns": ("chapter", "network", "recipe", "epochs", "seeds", "accuracy, %", "AUC", "tutorial"),
        "spread": "Accuracies are those of the validation images after the last epoch, one for each seed "
        "(chapter 7, tutorial's recipe: of the test pictures). The AUC is "
        "the mean over the seeds.",
        "missing": "not measured yet",
        "runs": "Epoch by epoch",
        "run_columns": ("epoch", "training loss", "validation loss", "accuracy, %", "AUC", "seconds"),
        "machine": "Measured with {}.",
        "seed": "seed {}",
        "test": "Test accuracy {:.1f} %.",
        "recipes": {},
    },
    "zh": {
        "intro": "本页所有数字都取自 `results/` 中的文件，每个文件记录一次在真实照片上的训练"
        "（第 1 章用真实的 MNIST，第 7 章用真实的 CIFAR-10，"
        "其中“眼底照片方案”用缩小到 32 × 32 的眼底照片）。第 8 章对各个网络作了比较。",
        "columns": ("章", "网络", "训练方案", "轮数", "随机种子", "准确率（%）", "AUC", "教程"),
        "spread": "准确率是最后一轮之后在验证图像上的准确率，每个随机种子一个数字"
        "（第 7 章的教程方案为测试图片）；AUC 是各种子的均值。",
        "missing": "尚未测量",
        "runs": "逐轮结果",
        "run_columns": ("轮次", "训练损失", "验证损失", "准确率（%）", "AUC", "秒"),
        "machine": "测量环境：{}。",
        "seed": "随机种子 {}",
        "test": "测试准确率 {:.1f} %。",
        "recipes": {"tutorial": "教程方案", "steady": "平稳方案", "improved": "改进方案", "long": "一小时方案"}
        | {"eyes": "眼底照片方案"},
    },
}


def page(edition: str, title: str, chapters: dict[str, str]) -> str:
    """Return the page as Markdown.

    chapters: title of each chapter by its name; the results are grouped by them. Raises DataError for a
    stored result that is damaged or belongs to another recipe.
    """
    from palm_course.results import comparison, stored

    text = _TEXT[edition]
    claims = {network: claim for network, (_, claim) in comparison.NETWORKS.items()}
    summary, details = [text["columns"]], []
    for network, recipe in _measured():
        histories = stored.load(network, recipe)
        chapter, _, name = network.partition(":")
        claim = "" if claims.get(network) is None else f"{claims[network]:.0f} %"
        number = chapter.partition("_")[0].lstrip("0")
        # To the chapter's page, where this edition has one.
        head = (f"[{number}]({chapter}.ipynb)" if chapter in chapters else number, f"`{name}`")
        head += (text["recipes"].get(recipe, recipe),)
        if not histories:
            summary.append((*head, "", "", text["missing"], "", claim))
            continue
        last = [history.last for history in histories.values()]
        accuracy = stored.each(last)
        auc = _number(mean(row["valid_auc"] for row in last), 4)
        seeds = ", ".join(map(str, histories))
        summary.append((*head, len(histories[min(histories)]), seeds, accuracy, auc, claim))
        details += [f"### {chapters.get(chapter, chapter)}: {name}, {head[-1]}", *_runs(histories, text)]
    parts = [f"# {title}", text["intro"], _table(summary), text["spread"], f"## {text['runs']}", *details]
    return "\n\n".join(parts) + "\n"


def _measured() -> list[tuple[str, str]]:
    """Return (network, recipe) of everything that is or will be measured, chapter by chapter."""
    from palm_course.results.recipes import RECIPES

    found = [(network, recipe) for recipe, of in RECIPES.items() for network in of]
    return sorted(found, key=lambda run: run[0].partition(":")[0])


def _runs(histories: dict, text: dict) -> list[str]:
    from palm_course.results import stored

    parts = []
    for seed, history in histories.items():
        rows = [text["run_columns"]]
        for row in history.epochs:
            accuracy, auc = _number(100 * row["valid_accuracy"], 1), _number(row["valid_auc"], 4)
            losses = (_number(row["train_loss"], 4), _number(row["valid_loss"], 4))
            rows.append((row["epoch"] + 1, *losses, accuracy, auc, _number(row["seconds"], 0)))
        test = history.about.get("test_accuracy")
        after = [text["machine"].format(stored.machine(history))]
        after += [text["test"].format(100 * test)] if test is not None else []
        parts += [f"**{text['seed'].format(seed)}**", _table(rows), " ".join(after)]
    return parts


def _table(rows: list[tuple]) -> str:
    header, *body = [[str(cell) for cell in row] for row in rows]
    rule = ["---"] * len(header)
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, rule, *body])


def _number(value: float | None, digits: int) -> str:
    # A loss or an AUC that is not defined is stored as nothing, and read as nan.
    return "–" if value is None or value != value else f"{value:.{digits}f}"
