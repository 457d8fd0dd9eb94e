{% macro generate_schema_name(custom_schema_name, node) %}
    {#- Schemas are exactly `base` and `core`: they are names in a contract, not a developer's sandbox. -#}
    {{- (custom_schema_name or target.schema) | trim -}}
{% endmacro %}
