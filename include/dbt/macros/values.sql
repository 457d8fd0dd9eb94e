{# Text of the outside world to typed values. What cannot be read is null and becomes an exception, never an error
   that stops everybody else's money. #}

{% macro ist_date(moment) -%}
    ({{ moment }} at time zone 'Asia/Kolkata')::date
{%- endmacro %}

{% macro ist_today() -%}
    {{ ist_date("now()") }}
{%- endmacro %}

{% macro rupees_of_paise(text) -%}
    (case when {{ text }} ~ '^[0-9]{1,15}([.]0+)?$' then (({{ text }})::numeric / 100)::numeric(18, 2) end)
{%- endmacro %}

{% macro rupees_of_text(text) -%}
    (case when {{ text }} ~ '^[0-9]{1,15}([.][0-9]{1,2}0*)?$' then ({{ text }})::numeric(18, 2) end)
{%- endmacro %}

{% macro moment_of_epoch(text) -%}
    case when {{ text }} ~ '^[0-9]{9,11}$' then to_timestamp(({{ text }})::bigint) end
{%- endmacro %}

{% macro moment_of_text(text) -%}
    {#- Cashfree writes +05:30 on most times; where it writes no zone, its clock is India's all the same. -#}
    case
        when {{ text }} !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' or not pg_input_is_valid({{ text }}, 'timestamptz') then null
        when {{ text }} ~ '(Z|[+-][0-9]{2}:?[0-9]{2})$' and {{ text }} ~ ':' then ({{ text }})::timestamptz
        else ({{ text }})::timestamp at time zone 'Asia/Kolkata'
    end
{%- endmacro %}

{% macro fineract_date(json) -%}
    case jsonb_typeof({{ json }})
        when 'array' then make_date(({{ json }} ->> 0)::int, ({{ json }} ->> 1)::int, ({{ json }} ->> 2)::int)
        when 'string' then ({{ json }} #>> '{}')::date
    end
{%- endmacro %}

{% macro payment_status_rank(status) -%}
    {#-
      Events come in any order and more than once, so the highest status seen stands: a UPI retry may turn failed into
      captured, but captured money never turns back into an attempt.
    -#}
    case {{ status }}
        when 'created' then 0
        when 'authorized' then 1
        when 'failed' then 2
        when 'captured' then 3
        when 'partially_refunded' then 4
        when 'refunded' then 5
        when 'charged_back' then 6
    end
{%- endmacro %}
