{% macro loans_of_mandate(umrn, on_date) -%}
    {#- The loans a mandate stood for on a day: none, one, or (a fault of the master) several. -#}
    select
        count(distinct {{ canonical_loan_id('mandate.loan_id') }}) as loans,
        min({{ canonical_loan_id('mandate.loan_id') }}) as loan_id
    from {{ source('landing', 'raw_umrn_master') }} as mandate
    where
        mandate.umrn = {{ umrn }}
        and {{ on_date }} between mandate.valid_from and coalesce(mandate.valid_to, 'infinity')
{%- endmacro %}

{% macro named_reference(payload, gateway, lender) -%}
    {#-
      What a webhook says about its loan under the lender's rules: the reference of the first rule, in order of
      precedence, that finds one. `notes` may be an object, a list or null; a path into the latter two finds nothing.
      A rule with a separator finds nothing where the separator is missing: split_part would answer the whole text.
    -#}
    select
        rule.precedence,
        rule.resolves,
        canonical.reference
    from {{ source('state', 'core_lender_webhook_rule') }} as rule
    cross join lateral (select {{ payload }} #>> string_to_array(rule.field, '.') as whole) as field
    cross join lateral (
        select
            case
                when rule.separator is null then field.whole
                when strpos(field.whole, rule.separator) > 0 then split_part(field.whole, rule.separator, rule.part)
            end as part
    ) as cut
    cross join lateral (
        select
            case rule.resolves
                when 'umrn' then upper(regexp_replace(cut.part, '\s', '', 'g'))
                when 'token' then cut.part
                else {{ canonical_loan_id('cut.part') }}
            end as reference
    ) as canonical
    where
        rule.lender = {{ lender }}
        and rule.gateway = '{{ gateway }}'
        and canonical.reference ~ ('^(?:' || rule.loan_id_pattern || ')$')
    order by rule.precedence
    limit 1
{%- endmacro %}
