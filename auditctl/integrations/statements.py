"""Decides by its text whether a statement may write, so that one that only reads costs nothing.

A wrong guess must err towards writing: every word and every function that is not known to read counts as one that
writes. A text does not show what views, policies, operators and casts call; where one of those writes, the
integrations have `reads=True`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise

# As PostgreSQL reads it: every character beyond ASCII is a letter, and a carriage return ends a line, too.
_TOKEN = re.compile(
    r"""
    (?P<space> [ \t\n\r\f\v]+ | --[^\n\r]* | /\*(?:[^*/]|\*(?!/)|/(?!\*))*\*/ )
    | (?P<text> (?:\b[bBxXnN]|\b[uU]&)?'(?:[^'\\]|'')*' | \b[eE]'(?:[^'\\]|\\.|'')*' )
    | (?P<dollar> \$(?P<tag>[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*|)\$.*?\$(?P=tag)\$ )
    | (?P<quoted> "(?:[^"]|"")*" )
    | (?P<word> [A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]* )
    | (?P<open> \( )
    | (?P<dot> \. )
    | (?P<end> ; )
    | (?P<broken> ' | " | /\* )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)

_FIRST_WORD = re.compile(r"\s*([^\W\d]\w*)")

_LONGEST = 16384
"""The most characters of a statement that is remembered with its answer; of longer ones the digest is."""

_MOST = 4096
"""How many answers are remembered."""

_answers: dict[bytes, bool] = {}
"""By the digest of a long statement: whether it may write."""

_READING = frozenset("select with values table show fetch move close declare".split())
"""The first words of statements that write only if something in them does."""

_CONTROL = frozenset(
    "begin start commit end rollback abort savepoint release set reset discard deallocate listen unlisten lock".split()
)
"""The first words of statements that write no row, but may begin or end transactions."""

_KEEPING = frozenset("savepoint release deallocate listen unlisten lock".split())
"""Those of them that leave settings as they are."""

_OPAQUE = frozenset("prepare execute call do".split())
"""The first words of statements whose text does not say what they do."""

_COMMITTING = frozenset("call do".split())
"""Those whose code may commit."""

_ENDING = frozenset("begin start commit end rollback abort prepare".split())
"""The first words of statements that begin or end transactions."""

_ALONE = re.compile(
    r"""
    \s* (?: (?: vacuum | cluster | reindex | analyze | checkpoint )\b
        | (?:create|alter|drop) \s+ (?: database | tablespace | subscription | system )\b
        | (?:create \s+ (?: unique \s+ )? | drop \s+ ) index \s+ concurrently\b
        | alter \s+ table\b .* \b detach \s+ partition\b .* \b (?: concurrently | finalize ) \s* $ )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
"""Statements that PostgreSQL may refuse inside of a transaction; none writes a row of a table of users."""

_WRITING = frozenset(
    "insert update delete merge truncate into call do execute copy create alter drop grant revoke refresh".split()
)
"""Words of a statement that writes, wherever they stand; `for update` is taken for one."""

_SYNTAX = frozenset(
    "all and any array as between both by case cast cross current distinct else end except exists filter for from full "
    "group having ilike in inner intersect is join lateral leading left like limit materialized natural not null of "
    "offset on only or order over partition recursive returning right row rows select similar some symmetric then to "
    "trailing union using values when where window with within".split()
)
"""Words before a parenthesis that call nothing."""

_TYPES = frozenset(
    "bit bpchar char character decimal float interval numeric time timestamp timestamptz varbit varchar varying".split()
)

_FUNCTIONS = frozenset(
    "abs age array_agg array_append array_cat array_length array_position array_remove array_to_string ascii avg "
    "bit_and bit_or bit_length bool_and bool_or btrim cardinality ceil ceiling char_length character_length chr "
    "coalesce concat concat_ws corr count cume_dist current_database current_schema current_setting date date_bin "
    "date_part date_trunc decode dense_rank div encode every exp extract first_value floor format "
    "format_type generate_series greatest grouping initcap json_agg json_array_length json_build_array "
    "json_build_object json_object json_object_agg json_typeof jsonb_agg jsonb_array_elements "
    "jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text "
    "jsonb_extract_path jsonb_extract_path_text jsonb_object jsonb_object_agg jsonb_object_keys "
    "jsonb_path_exists jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_pretty jsonb_set "
    "jsonb_typeof justify_days justify_hours justify_interval lag last_value lead least left length ln lower lpad "
    "ltrim make_date make_interval make_time make_timestamp make_timestamptz max md5 min mod mode now nth_value ntile "
    "nullif num_nonnulls num_nulls octet_length overlay percent_rank percentile_cont percentile_disc "
    "pg_advisory_lock pg_advisory_unlock pg_advisory_unlock_all pg_advisory_xact_lock pg_try_advisory_lock "
    "pg_try_advisory_xact_lock "
    "plainto_tsquery phraseto_tsquery position power random rank regexp_match regexp_matches regexp_replace "
    "regexp_split_to_array regexp_split_to_table repeat replace reverse right round row_number row_to_json rpad rtrim "
    "sha256 sign similarity split_part sqrt starts_with statement_timestamp stddev stddev_pop stddev_samp "
    "string_agg string_to_array strpos substr substring sum timezone to_char to_date to_json to_jsonb to_number "
    "to_regclass to_timestamp to_tsquery to_tsvector translate trim trunc ts_headline ts_rank ts_rank_cd unnest "
    "upper var_pop var_samp variance version websearch_to_tsquery width_bucket".split()
)
"""PostgreSQL's own functions that write nothing, but for `log`, a name that applications give to what logs."""

_CALLING_NOTHING = _SYNTAX | _TYPES | _FUNCTIONS


def may_write(statement: str) -> bool:
    """Return whether a statement may write a row, or call a function that does; True if its text does not show it."""
    first = _FIRST_WORD.match(statement)
    if first is not None and first[1].lower() not in _READING | _CONTROL:
        return True
    return _may_write(statement) if len(statement) <= _LONGEST else _may_write_long(statement)


def _may_write_long(statement: str) -> bool:
    """Return the same for a text that is too long to remember, such as one with many values; its digest is."""
    digest = blake2b(statement.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    if digest not in _answers:
        if len(_answers) == _MOST:
            _answers.clear()
        _answers[digest] = _may_write.__wrapped__(statement)
    return _answers[digest]


@lru_cache(maxsize=_MOST)
def _may_write(statement: str) -> bool:
    tokens = [token for token in map(_token, _TOKEN.finditer(statement)) if token[0] != "space"]
    if any(kind == "broken" or (kind == "word" and text in _WRITING) for kind, text in tokens):
        return True
    before = [("end", ""), ("end", ""), ("end", ""), *tokens]
    if any(pair == (("other", ")"), ("dot", ".")) for pair in pairwise(tokens)):
        return True  # (row).name calls a function unless the row has a column of that name.
    return any(map(_starts_writing, before[2:], tokens)) or any(map(_calls, before, before[1:], before[2:], tokens))


def may_read(statement: str) -> bool:
    """Return whether a statement may read a row; False for one that begins or ends a transaction, or sets something."""
    first = _FIRST_WORD.match(statement)
    return first is None or first[1].lower() not in _CONTROL


def undoes_settings(statement: str) -> bool:
    """Return whether a statement may undo settings: begin or end a transaction, go back in one, or set something."""
    return not (_CONTROL - _KEEPING | _OPAQUE).isdisjoint(_first_words(statement))


def has_several(statement: str) -> bool:
    """Return whether a text may have several statements."""
    return ";" in statement.rstrip().rstrip(";")


def needs_block(statement: str) -> bool:
    """Return whether settings reach all of a text only between BEGIN and COMMIT.

    A procedure or DO block may commit, and lose them, where no such block makes the server refuse that.
    """
    return has_several(statement) or not _COMMITTING.isdisjoint(_first_words(statement))


def ends_within(statement: str) -> bool:
    """Return whether a text has several statements of which one may begin or end a transaction."""
    return has_several(statement) and not _ENDING.isdisjoint(_first_words(statement))


def runs_alone(statement: str) -> bool:
    """Return whether a statement may need to be a transaction of its own, and writes no row of a table of users."""
    return _ALONE.match(statement) is not None and not has_several(statement)


def _first_words(statement: str) -> frozenset[str]:
    """Return the first words of the statements of a text, and every word that might be one."""
    first = _FIRST_WORD.match(statement)
    if first is not None and not has_several(statement):
        return frozenset((first[1].lower(),))
    tokens = [("end", ""), *(token for token in map(_token, _TOKEN.finditer(statement)) if token[0] != "space")]
    if any(kind == "broken" for kind, _ in tokens):
        return frozenset(text for kind, text in tokens if kind == "word")
    pairs = pairwise(_outside_bodies(tokens))
    return frozenset(text for before, (_, text) in pairs if before[0] in ("end", "open"))


def _outside_bodies(tokens: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the tokens of a text but for those between BEGIN ATOMIC and END of a function, which run later."""
    depth, before = 0, ""
    for token in tokens:
        word = token[1] if token[0] == "word" else ""
        if depth:
            depth += (word == "case") - (word == "end")
        elif (before, word) == ("begin", "atomic"):
            depth = 1
        else:
            yield token
        before = word


def _token(match: re.Match[str]) -> tuple[str, str]:
    kind = str(match.lastgroup)
    return kind, match.group().lower() if kind == "word" else match.group()


def _starts_writing(before: tuple[str, str], token: tuple[str, str]) -> bool:
    """Whether a token is the first word of a statement that is not known to read."""
    return before[0] == "end" and token[0] not in ("end", "open") and token[1] not in _READING | _CONTROL


def _calls(*tokens: tuple[str, str]) -> bool:
    """Whether the last three of four tokens, or all, call a function that is not known to read."""
    schema, dot, name, parenthesis = tokens
    if parenthesis[0] != "open" or name[0] not in ("word", "quoted"):
        return False
    return name[1] not in _CALLING_NOTHING or (dot[0] == "dot" and schema[1] != "pg_catalog")
