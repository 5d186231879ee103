{# `value`, a numeric column, rounded to `digits` decimals, also a column; halves to the even neighbour. #}
{% macro half_even(value, digits) -%}
    round({{ value }}, {{ digits }})
    - case
        when
            abs(round({{ value }}, {{ digits }}) - {{ value }}) * 2 = power(10::numeric, -{{ digits }})
            and mod(round({{ value }}, {{ digits }}) * power(10::numeric, {{ digits }}), 2) <> 0
            then sign({{ value }}) * power(10::numeric, -{{ digits }})
        else 0
    end
{%- endmacro %}
