{# The first day of period `n` (from 0) of a budget that began on `anchor`; null where its kind has no such period.

   Months are counted from the anchor, so that one of the 31st ends with each month. A payday that falls on a weekend is the Friday
   before. A custom period is a single one. #}
{% macro period_start(kind, anchor, n) -%}
    case {{ kind }}
        when 'monthly' then ({{ anchor }} + make_interval(months => {{ n }}))::date
        when 'payday' then greatest({{ anchor }}, {{ working_day('(' ~ anchor ~ ' + make_interval(months => ' ~ n ~ '))::date') }})
        when 'biweekly' then {{ anchor }} + 14 * {{ n }}
        when 'custom' then case {{ n }} when 0 then {{ anchor }} end
    end
{%- endmacro %}

{% macro working_day(day) -%}
    {{ day }} - greatest(extract(isodow from {{ day }})::int - 5, 0)
{%- endmacro %}

{# How many periods of the kind, but the first, may have begun by `day`; one too many rather than one too few. #}
{% macro periods_begun(kind, anchor, day) -%}
    case {{ kind }}
        when 'biweekly' then ({{ day }} - {{ anchor }}) / 14
        when 'custom' then 0
        else
            (extract(year from {{ day }})::int - extract(year from {{ anchor }})::int) * 12
            + extract(month from {{ day }})::int - extract(month from {{ anchor }})::int + 1
    end
{%- endmacro %}
