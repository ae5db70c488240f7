"""Reads a query: AND by default, OR, NOT or `-`, parentheses, and conditions such as `label:dog`. A word without a
field is a label or text."""

from collections.abc import Sequence
from dataclasses import replace

from windmill.kernels.query.tokens import QueryInvalid, Token, TokenKind, tokenise
from windmill.kernels.query.tree import And, Not, Or, Query
from windmill.kernels.query.values import FIELDS, leaf_of, text_of_token

MOST_TERMS = 50
DEEPEST = 20


def parse_query(text: str) -> Query:
    """The tree; an empty text is everything. Raises QueryInvalid."""
    tokens = list(tokenise(text))
    if sum(one.kind == "term" for one in tokens) > MOST_TERMS:
        raise QueryInvalid(f"a query has at most {MOST_TERMS} conditions", tokens[-1].place)
    reader = _Reader(tokens, len(text))
    return reader.read() if tokens else And()


class _Reader:
    """Goes through the tokens once. Mutable."""

    def __init__(self, tokens: Sequence[Token], end: int) -> None:
        self._tokens, self._end, self._next = tokens, end, 0

    def read(self) -> Query:
        query = self._either(0)
        if self._kind() == "close":
            raise QueryInvalid("this parenthesis closes nothing", self._place())
        return query

    def _either(self, depth: int) -> Query:
        parts = [self._all(depth)]
        while self._took("or"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self, depth: int) -> Query:
        parts = [self._one(depth)]
        while self._kind() not in (None, "or", "close"):
            self._took("and")
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self, depth: int) -> Query:
        if depth > DEEPEST:
            raise QueryInvalid("too many parentheses or NOTs stand within each other", self._place())
        if self._took("not"):
            return Not(self._one(depth + 1))
        if self._took("open"):
            query = self._either(depth + 1)
            if not self._took("close"):
                raise QueryInvalid("a parenthesis is not closed", self._place())
            return query
        if self._kind() != "term":
            raise QueryInvalid("a condition is missing here", self._place())
        self._next += 1
        return condition_of(self._tokens[self._next - 1])

    def _kind(self) -> TokenKind | None:
        return self._tokens[self._next].kind if self._next < len(self._tokens) else None

    def _place(self) -> int:
        return self._tokens[self._next].place if self._next < len(self._tokens) else self._end

    def _took(self, kind: TokenKind) -> bool:
        """Whether the next token is of this kind; it is then read."""
        if self._kind() != kind:
            return False
        self._next += 1
        return True


def condition_of(token: Token) -> Query:
    """The condition of a token; a word alone may be a label or text, and an emoji is a label."""
    if token.field:
        return leaf_of(token)
    if token.value.removesuffix(":").lower() in FIELDS and token.value.endswith(":"):
        raise QueryInvalid(f"{token.value} has no value", token.place)
    label = leaf_of(replace(token, field="label")) if not token.operator else None
    if label and not any(one.isalnum() for one in token.value):
        return label
    text = text_of_token(replace(token, field="text"))
    return Or((label, text)) if label else text
