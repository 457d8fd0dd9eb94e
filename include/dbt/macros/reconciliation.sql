{% macro recon_left_over(side, condition, key, number) %}
        {#- One side of pass `number`: what it may pair and the earlier passes left, counted under the pass's key. #}
        select
            side.native_reference,
            {%- for column in key %}
            side.{{ column }},
            {%- endfor %}
            row_number() over (
                partition by {% for column in key %}side.{{ column }}{{ ", " if not loop.last }}{% endfor %}
                order by side.native_reference
            ) as nth
        from {{ ref('core_recon_side') }} as side
        where
            side.side = '{{ side }}'
            and {{ condition }}
            {%- for earlier in range(1, number) %}
            and not exists (
                select 1 from pass_{{ earlier }} as taken where taken.{{ side }}_native_reference = side.native_reference
            )
            {%- endfor %}
{% endmacro %}
