-- Names of business events: in one form, readable, and never like one of auditctl's own.

create or replace function auditctl_internal.is_reserved(p_name text) returns boolean
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
-- Whether a reader could take the start of a name for the word auditctl. Compared are shapes: accents, blanks, quotes and
-- what cannot be seen are left out; in place of each letter stands every character that looks like it, and every letter of
-- Latin beyond ASCII, with which no honest word spells it. So the rule needs no list of all look-alikes of Latin.
declare
    v_latin constant text := e'\u00aa-\u02af\u1d00-\u1dbf\u2c60-\u2c7f\ua720-\ua7ff\uab30-\uab6f';
    v_shape constant text[] := array[
        e'[aA@4\u0391\u03b1\u0410\u0430\u13aa\ua4ee\u2c80\u2c81\u2200' || v_latin || ']',
        e'[uU\u03c5\u0446\u045f\u054d\u057d\u13cc\ua4f4\u1200\u222a\u22c3' || v_latin || ']',
        e'([dD\u03b4\u0500\u0501\u0502\u0503\u056a\u13a0\ua4d3' || v_latin || ']|[cC][lLI1|])',
        e'[iIlL1|!\u0399\u03b9\u0406\u0456\u04c0\u04cf\u13a5\u13c6\ua4f2\u2c92\u2c93' || v_latin || ']',
        e'[tT7+\u03a4\u03c4\u0422\u0442\u13a2\ua4d4\u2ca6\u2ca7' || v_latin || ']',
        e'[cC(\u03c2\u03f2\u03f9\u0421\u0441\u13df\ua4da\u2ca4\u2ca5' || v_latin || ']',
        e'[tT7+\u03a4\u03c4\u0422\u0442\u13a2\ua4d4\u2ca6\u2ca7' || v_latin || ']',
        e'[iIlL1|!\u0399\u03b9\u0406\u0456\u04c0\u04cf\u13c6\u13de\ua4f2\ua4e1\u2c92\u2cd0\u2cd1' || v_latin || ']'
    ];
    -- What is visible, without blanks, quotes and punctuation between words; a dot ends the first word of a name.
    v_seen constant text := regexp_replace(
        translate(normalize(p_name, nfkd), e' "''`\u00b4\u2018\u2019\u201c\u201d', ''), auditctl_internal.invisible(), '', 'g'
    );
begin
    return v_seen collate "C" ~ ('^[_.,:;/]*' || array_to_string(v_shape, '') || '([^[:alnum:]_]|$)')
        or v_seen collate "C" ~* ('^[_.,:;/]*' || array_to_string(v_shape, '') || '_(internal|triggers|guard)([^[:alnum:]_]|$)');
end
$auditctl$;
comment on function auditctl_internal.is_reserved is
    'Whether a name begins with the name of one of auditctl''s schemas, or with one that looks like it in whatever script, case or spelling';

create or replace function auditctl_internal.mixes_scripts(p_name text) returns boolean
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
-- Letters of Latin, Greek and Cyrillic look alike, and like some of other alphabets. Those of East Asia do not, and stand
-- beside Latin ones in honest words.
declare
    v_latin constant text := e'[a-zA-Z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u1d00-\u1d25\u1e00-\u1eff\u2c60-\u2c7f'
        '\ua722-\ua7ff\uab30-\uab64]';
    v_greek constant text := e'[\u0370-\u03ff\u1f00-\u1fff\u2c80-\u2cff]';
    v_cyrillic constant text := e'[\u0400-\u052f\u1c80-\u1c8f\ua640-\ua69f]';
    v_other constant text := e'[\u0531-\u10ff\u1200-\u1c7f\u1c90-\u1cff\u2d00-\u2ddf\ua4d0-\ua63f\uab70-\uabff\U00010280-\U0001bfff]';
    v_name constant text := regexp_replace(normalize(p_name, nfkd), auditctl_internal.invisible(), '', 'g');
    v_scripts constant text[] := array[v_latin, v_greek, v_cyrillic, v_other];
begin
    return exists (
        select
        from unnest(v_scripts) as one (letter)
        join unnest(v_scripts) as other (letter) on one.letter <> other.letter
        where v_name collate "C" ~ (one.letter || other.letter)
    );
end
$auditctl$;
comment on function auditctl_internal.mixes_scripts is
    'Whether a word has letters of two alphabets that have letters of the same shape, such as Latin and Cyrillic';

create or replace function auditctl_internal.event_name(p_text text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    -- Controls, format characters, fillers, variation selectors. Marks are none: names in many scripts need them.
    v_hidden constant text :=
        e'[\u0001-\u001f\u007f-\u009f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u1680'
        '\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0'
        '\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff]';
    v_name text;
begin
    if coalesce(p_text, '') = '' or octet_length(p_text) > 500 then
        raise exception 'record_event needs a target of 1 to 500 bytes'
            using errcode = 'invalid_parameter_value', hint = 'Name what the event is about, for example billing.invoice.';
    end if;
    if auditctl_internal.readable(p_text) <> p_text then
        raise exception 'record_event needs a target in valid UTF-8'
            using errcode = 'invalid_parameter_value', hint = 'Name what the event is about, for example billing.invoice.';
    end if;
    -- The form of identifiers in which wide, narrow and composed letters are one (Unicode Standard Annex 31).
    v_name := normalize(p_text, nfkc);
    if auditctl_internal.is_reserved(v_name) then
        raise exception 'record_event cannot record events of target %: it is reserved for auditctl', p_text
            using errcode = 'insufficient_privilege', hint = 'Choose a target outside auditctl.';
    end if;
    if p_text ~ v_hidden or v_name ~ v_hidden or v_name <> btrim(v_name) then
        raise exception 'record_event needs a target without invisible characters or surrounding spaces: %', to_json(p_text)
            using errcode = 'invalid_parameter_value', hint = 'Leave out control and format characters, and spaces at the start and end.';
    end if;
    if not auditctl_internal.has_visible(v_name) or auditctl_internal.mixes_scripts(v_name) then
        raise exception 'record_event needs a target whose words are each in one script: %', to_json(p_text)
            using errcode = 'invalid_parameter_value', hint = 'Write each word in letters of one script; Latin and Cyrillic ones look alike.';
    end if;
    return v_name;
end
$auditctl$;
comment on function auditctl_internal.event_name is
    'The name of a business event in normal form (NFKC); raises unless it is readable, in one script a word, and not like one of auditctl''s own';

create or replace function auditctl_internal.name_event_type() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- Of auditctl's own events, these alone can be switched off.
    if new.name not in ('auditctl.lookup', 'auditctl.session') then
        new.name := auditctl_internal.event_name(new.name);
    end if;
    return new;
end
$auditctl$;
comment on function auditctl_internal.name_event_type is 'Gives an event type, or a glob over types, a name under which events can be recorded';
