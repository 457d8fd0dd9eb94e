{#
  Twin of turno_lms.domain.keys; both are held to tests/vectors/keys.json. A key hashes canonical text: lender slug in
  lower case, loan id trimmed upper case, IST date YYYY-MM-DD, rupees with exactly two decimals.
#}

{% macro trimmed(text) -%}
    {#- All the blanks a file can bring, the no-break space among them; SQL's own trim knows only one. -#}
    btrim({{ text }}, E' \t\n\r\f\x0b\u00a0')
{%- endmacro %}

{% macro canonical_loan_id(text) -%}
    upper({{ trimmed(text) }})
{%- endmacro %}

{% macro canonical_lender(text) -%}
    lower({{ trimmed(text) }})
{%- endmacro %}

{% macro recon_match_key(loan_id, business_date, amount) -%}
    md5({{ canonical_loan_id(loan_id) }} || to_char({{ business_date }}, 'YYYY-MM-DD') || ({{ amount }})::numeric(18, 2)::text)
{%- endmacro %}

{% macro source_key(lender, loan_id, business_date, amount) -%}
    md5(
        {{ canonical_lender(lender) }}
        || {{ canonical_loan_id(loan_id) }}
        || to_char({{ business_date }}, 'YYYY-MM-DD')
        || ({{ amount }})::numeric(18, 2)::text
    )
{%- endmacro %}

{% macro comparable_reference(text) -%}
    {#-
      A bank's reference (RRN, UTR) in the form that may be compared, or null: what stands for "none" (0, NA, NEFT: no
      text without a digit above 0 is a payment's own), and what a spreadsheet reduced to 5.02E+13, would make different
      payments look equal.
    -#}
    case
        when
            {{ text }} ~ '[1-9]'
            and upper({{ trimmed(text) }}) !~ '^([0-9]+[.][0-9]+E[+]?[0-9]+|[0-9]+E[+][0-9]+)$'
            then upper({{ trimmed(text) }})
    end
{%- endmacro %}

{% macro gateway_payment_reference(gateway, text) -%}
    {#- A file's word for a gateway's payment, or null: what stands for "none" is no payment. Ids keep their case. -#}
    case
        when
            {{ text }} ~ '[1-9A-Za-z]'
            and upper({{ trimmed(text) }}) !~ '^(#?N[./]?A[.]?|NAN|NIL|NONE|NULL|[0-9]+([.][0-9]+)?E[+]?[0-9]+)$'
            then {{ gateway }} || ':' || {{ trimmed(text) }}
    end
{%- endmacro %}

{% macro file_reference(lender, kind, payment_id) -%}
    {#- The native reference of a file's row that has a reference of its own. -#}
    'file:' || {{ lender }} || ':' || {{ kind }} || ':' || {{ payment_id }}
{%- endmacro %}
