"""Keys in an archive: the texts that mean the same key are those that the database finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditctl.archive import key_texts
from auditctl.archive.manifest import Target

if TYPE_CHECKING:
    import psycopg

UUID = "6F9619FF-8B86-D011-B42D-00CF4FC964FF"

KEYS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("smallint",), ("7", "+7", " 007 ", "-0", "32768", "x", "", "7.0")),
    (("integer",), ("7", "007", "\t7\n", "2147483648", "-2147483648", "1e1", "9" * 40)),
    (("bigint",), ("9223372036854775807", "9223372036854775808", "+0")),
    (("numeric",), ("1", "1.50", "-0.00", "1e2", ".5", "NaN", "x", "007.10")),
    (("numeric(10,2)",), ("1", "1.5", "1.500", "1.005", "-0", "1e2")),
    (("numeric(5,0)",), ("7", "7.0", "7.5")),
    (("uuid",), (UUID, UUID.replace("-", ""), f"{{{UUID}}}", UUID[:-1], "6f96-19ff8b86d011b42d00cf4fc964ff", "x")),
    (("boolean",), ("t", "TRUE", "yes", "of", "0", "o", "maybe", " on ")),
    (("text",), ("7", " 7", "", "Ä", "\n")),
    (("character varying(5)",), ("abc", "abc ", "abcdefgh")),
    (("character(5)",), ("abc", "abc  ", "abcde", "")),
    (("date",), ("2026-02-28", "2026-02-30", " 2026-02-28 ")),
    ((), ("7", '["a",1.0]', ' [1,  {"bb":1,"a":2}]', "[x", "Ä" * 600)),
    (("integer", "text"), ('["007", "a"]', '[7,"a"]', "[7]", "7", '[null, " a"]', '["x", "a"]', '[7.0, "a"]')),
    (("numeric(4,1)", "boolean", "uuid"), (f'[1, true, "{UUID}"]', f'["1.0", "no", "{UUID}"]')),
)

TYPES = "create temporary table keys (a numeric(10,2), b numeric(5), c varchar(5), d char(5), e numeric(4,1))"

INSERT = """
    with modified as (
        select format_type(a.atttypid, a.atttypmod) as type, a.atttypmod as modifier
          from pg_attribute as a where a.attrelid = 'keys'::regclass and a.attnum > 0
    )
    insert into auditctl.target (target, key_columns, key_types)
    select %(target)s, %(columns)s, array(
        select row(t.type::regtype, coalesce(m.modifier, -1), null, false)::auditctl.key_type
          from unnest(%(types)s::text[]) with ordinality as t (type, place)
          left join modified as m on m.type = t.type
         order by t.place
    )
"""


def test_texts_are_read_as_the_database_reads_them(conn: psycopg.Connection) -> None:
    conn.execute(TYPES)
    for number, (types, texts) in enumerate(KEYS):
        columns = tuple(f"c{place + 1}" for place in range(len(types)))
        target = Target(f"k.k{number}", key_columns=columns, key_types=types)
        conn.execute(INSERT, {"target": target.name, "columns": list(columns), "types": list(types)})
        for text in texts:
            row = conn.execute("select * from auditctl.find_key(%s, %s)", [target.name, text]).fetchone()
            assert row is not None
            spellings, fault, described = row
            found = key_texts.find(text, target)
            assert (found.spellings[0], bool(found.fault)) == (spellings[0], bool(fault)), (types, text, fault)
            assert set(found.spellings) >= set(spellings), (types, text)
            assert found.columns == described, (types, text)


def test_equal_numbers_have_several_texts() -> None:
    found = key_texts.find("1.50", Target("t", key_columns=("id",), key_types=("numeric",)))
    assert {"1.5", "1.50", "1.500", "1.5" + "0" * 40} <= set(found.spellings)
    assert found.spellings[0] == "1.50"
    several = key_texts.find('[1, "a"]', Target("t", key_columns=("n", "m"), key_types=("numeric", "text")))
    assert {'[1, "a"]', '[1.00, "a"]'} <= set(several.spellings)
