"""Search that finds English and Chinese in either edition.

Chinese is written without spaces. Sphinx leaves it to jieba to cut the pages into words, but nothing cuts
what a reader types, so that a phrase is found only where jieba takes it for one word. Here both sides are cut
into overlapping pairs of characters, as full-text engines do it: a phrase is found wherever it stands.
"""

import re

from sphinx.search.en import SearchEnglish

HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
_RUN = re.compile(rf"[{HAN}]+|[^\W{HAN}]+")


def split(text: str) -> list[str]:
    """Return Latin words as they are, and a run of Chinese characters as its overlapping pairs."""
    words = []
    for run in _RUN.findall(text):
        pairs = [run[i : i + 2] for i in range(len(run) - 1)] if re.match(rf"[{HAN}]", run) else []
        words += pairs or [run]
    return words


class SearchBoth(SearchEnglish):
    """English stemming and stop words, Chinese in pairs."""

    lang = "both"
    language_name = "English and Chinese"
    # The same as `split`, for what the reader types.
    js_splitter_code = rf"""
function splitQuery(query) {{
  const words = [];
  for (const run of query.match(/[{HAN}]+|(?:_|[^\s{HAN}\p{{P}}\p{{S}}])+/gu) || []) {{
    if (!/[{HAN}]/.test(run) || run.length < 2) words.push(run);
    else for (let i = 0; i + 1 < run.length; i++) words.push(run.slice(i, i + 2));
  }}
  return words;
}}
"""

    def split(self, text: str) -> list[str]:
        return split(text)

    def word_filter(self, word: str) -> bool:
        return len(word) > 1 and super().word_filter(word)
