"""A query as a condition of SQL on the search row `s`. What people wrote is in parameters, never in the statement."""

import re
from collections.abc import Iterator

from windmill.kernels.query.tree import (
    And,
    CameraTerm,
    ColourTerm,
    CountTerm,
    GroupTerm,
    IdTerm,
    LabelTerm,
    Leaf,
    Not,
    NsfwTerm,
    Or,
    Query,
    SizeTerm,
    Span,
    TakenTerm,
    TextTerm,
)
from windmill.storage.search.terms import KnownTerms, escape_like

VECTOR = "to_tsvector('simple', s.text)"
"""As in the index."""
_MUCH_MORE = 10
"""A row costs about ten times as much as an entry of an index (measured, with all in memory)."""
_WORDS = re.compile(r"\w+")


class Conditions:
    """Compiles queries, and collects their parameters. `led_to`: the rarest condition leads to so few rows, and the
    index is not asked for what is much more frequent, as it would name many rows to leave out few. Mutable."""

    def __init__(self, known: KnownTerms, *, led_to: int | None = None) -> None:
        self._known = known
        self._led_to = led_to
        self.parameters: list[object] = []

    def parameter(self, value: object) -> str:
        """The place of a value in the statement."""
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    def compile(self, query: Query) -> str:
        """The condition, in parentheses."""
        match query:
            case And(parts):
                return self._joined(" AND ", parts, "true")
            case Or(parts):
                return self._joined(" OR ", parts, "false")
            case Not(part):
                return f"({self.compile(part)} IS NOT TRUE)"
            case _:
                return f"({' AND '.join(self._leaf(query)) or 'true'})"

    def _joined(self, sign: str, parts: tuple[Query, ...], nothing: str) -> str:
        return f"({sign.join(map(self.compile, parts)) or nothing})"

    def _leaf(self, leaf: Leaf) -> Iterator[str]:  # noqa: C901 - one case for each kind of condition
        match leaf:
            case LabelTerm(least=least):
                yield from self._label(leaf, least)
            case ColourTerm():
                yield self._overlap("colours", leaf)
            case CameraTerm():
                yield f"s.camera = ANY ({self.parameter(list(self._known.of[leaf].ids))}::integer[])"
            case TextTerm():
                yield from self._text(leaf)
            case CountTerm(field, span):
                yield from self._span(f"s.{field}", span)
            case NsfwTerm(span):
                yield from self._span("s.nsfw", span)
            case IdTerm(span):
                yield from self._span("s.image_id", span)
            case SizeTerm(width, height):
                yield from (*self._span("s.width", width), *self._span("s.height", height))
            case TakenTerm(since, until):
                yield from (f"s.taken >= {self.parameter(since)}::timestamptz" for _ in [since] if since)
                yield from (f"s.taken < {self.parameter(until)}::timestamptz" for _ in [until] if until)
            case GroupTerm(group):
                named = self.parameter(group)
                yield (
                    "EXISTS (SELECT FROM image_groups AS g"
                    f" WHERE g.image_id = s.image_id AND g.image_group = {named}::text)"
                )

    def _label(self, leaf: LabelTerm, least: int) -> Iterator[str]:
        yield self._overlap("labels", leaf)
        if least:
            ids = self._known.of[leaf].ids
            numbers, sure = self.parameter(list(ids)), self.parameter(least)
            yield (
                "EXISTS (SELECT FROM unnest(s.labels, s.label_p) AS l (term_id, p)"
                f" WHERE l.term_id = ANY ({numbers}::integer[]) AND l.p >= {sure}::integer)"
            )

    def _overlap(self, column: str, leaf: Leaf) -> str:
        """An index is no help for what IS TRUE."""
        term = self._known.of[leaf]
        if not term.ids:
            return "false"
        condition = f"s.{column} && {self.parameter(list(term.ids))}::integer[]"
        is_frequent = self._led_to is not None and term.images > _MUCH_MORE * self._led_to
        return f"({condition}) IS TRUE" if is_frequent else condition

    def _text(self, leaf: TextTerm) -> Iterator[str]:
        """The first condition costs little, and leaves little to the one that takes text apart."""
        sought = leaf.text if leaf.form == "substring" else max(_WORDS.findall(leaf.text), key=len, default="")
        yield f"s.text LIKE {self.parameter(f'%{escape_like(sought)}%')}::text"
        if leaf.form == "words":
            yield f"s.text <> '' AND {VECTOR} @@ phraseto_tsquery('simple', {self.parameter(leaf.text)}::text)"
        elif leaf.form == "prefix":
            yield f"s.text <> '' AND {VECTOR} @@ to_tsquery('simple', {self.parameter(_prefix_query(leaf.text))}::text)"

    def _span(self, column: str, span: Span) -> Iterator[str]:
        if span.low is not None:
            yield f"{column} >= {self.parameter(span.low)}::bigint"
        if span.high is not None:
            yield f"{column} <= {self.parameter(span.high)}::bigint"


def _prefix_query(text: str) -> str:
    """Words one after the other, of which the last may go on, as to_tsquery reads them."""
    words = _WORDS.findall(text)
    return " <-> ".join(f"'{word}'" for word in words) + ":*"
