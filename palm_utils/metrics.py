"""Metrics of a network with one logit, for pathologic myopia (1) or not (0): loss, accuracy, AUC, sensitivity.

Chapter 2 explains them; in exercise 2.3 you write sensitivity and specificity. scikit-learn computes most of them. This
module adds the probability of one logit, and nan instead of an error where a class is absent. scikit-learn takes
seconds to import, so the functions import it when they need it.
"""

from dataclasses import dataclass

import numpy as np

from palm_utils.messages import WrongArgument, tr


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-logits)) as float64, without overflow for large negative logits."""
    return np.exp(-np.logaddexp(0, -np.asarray(logits, np.float64)))


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean binary cross-entropy in nats of logits [N] against labels [N] in {0, 1}."""
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    with np.errstate(invalid="ignore"):  # a diverged network gives nan, and so does this
        return float(np.mean(np.logaddexp(0, logits) - labels * logits))


@dataclass(frozen=True)
class Scores:
    """Logits of a network on labelled images, and the metrics computed from them.

    logits: float64 [N]. labels: int64 [N], 1 for pathologic myopia. threshold: an image counts as positive when its
    probability is at least this.
    """

    logits: np.ndarray
    labels: np.ndarray
    threshold: float = 0.5

    @property
    def probabilities(self) -> np.ndarray:
        """Probability of pathologic myopia, float64 [N]."""
        return sigmoid(self.logits)

    @property
    def predictions(self) -> np.ndarray:
        """1 where the probability reaches the threshold, int64 [N]."""
        return (self.probabilities >= self.threshold).astype(np.int64)

    @property
    def loss(self) -> float:
        """Mean binary cross-entropy in nats."""
        return cross_entropy(self.logits, self.labels)

    @property
    def accuracy(self) -> float:
        """Share of the images that are classified correctly."""
        return float(np.mean(self.predictions == self.labels))

    @property
    def auc(self) -> float:
        """Area under the ROC curve; nan where only one class is present or a logit is not finite."""
        if len(np.unique(self.labels)) < 2 or not np.all(np.isfinite(self.logits)):
            return float("nan")
        from sklearn.metrics import roc_auc_score

        return float(roc_auc_score(self.labels, self.logits))

    @property
    def confusion(self) -> np.ndarray:
        """Counts, int64 [2, 2]: row = label, column = prediction, so [[TN, FP], [FN, TP]]."""
        from sklearn.metrics import confusion_matrix

        return confusion_matrix(self.labels, self.predictions, labels=[0, 1])

    @property
    def sensitivity(self) -> float:
        """Share of the pathologic eyes that are classified as pathologic; nan where there are none."""
        return _ratio(self.confusion[1, 1], self.confusion[1].sum())

    @property
    def specificity(self) -> float:
        """Share of the other eyes that are classified as not pathologic; nan where there are none."""
        return _ratio(self.confusion[0, 0], self.confusion[0].sum())

    def roc(self) -> tuple[np.ndarray, np.ndarray]:
        """False positive rates and true positive rates of every threshold, both float64 [T]."""
        from sklearn.metrics import roc_curve

        false_positive, true_positive, _ = roc_curve(self.labels, self.logits)
        return false_positive, true_positive

    def __str__(self) -> str:
        return tr(
            "{count} images: loss={its.loss:.4f}, acc={its.accuracy:.4f}, AUC={its.auc:.4f}, "
            "sensitivity={its.sensitivity:.4f}, specificity={its.specificity:.4f}",
            count=len(self.labels),
            its=self,
        )


def score(logits: np.ndarray, labels: np.ndarray, threshold: float = 0.5) -> Scores:
    """Check logits and labels, each of any shape with N elements, and return their Scores.

    Raises WrongArgument when N is 0 or differs, or a label is neither 0 nor 1.
    """
    logits, labels = np.ravel(logits).astype(np.float64), np.ravel(labels)
    if logits.size == 0 or logits.size != labels.size:
        raise WrongArgument(
            "{logits} logits for {labels} labels: need as many of one as of the other",
            logits=logits.size,
            labels=labels.size,
        )
    if not np.isin(labels, (0, 1)).all():
        raise WrongArgument("labels must be 0 or 1, got {found}", found=sorted(set(labels.tolist()) - {0, 1}))
    return Scores(logits, labels.astype(np.int64), threshold)


def _ratio(part: int, whole: int) -> float:
    return float(part / whole) if whole else float("nan")
