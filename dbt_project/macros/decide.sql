{# The acceptance rule, over the events of `relation` (which holds all events of each thing that it holds any of).

   In the order of the log, an event of a thing is a `duplicate` if its event_id was seen before for that thing; else `stale` if its
   version is not above the highest seen before, duplicates not counted; else `accepted`. The log's order is (partition, offset);
   a re-created topic is another log, after the one whose batches came first. Adds `decision`, and `last_batch_id` of the thing. #}
{% macro decide(relation, thing) -%}
{%- set thing = thing | join(', ') -%}
    select
        ordered.*,
        case
            when sight > 1 then 'duplicate'
            when version <= max(version) filter (where sight = 1) over (
                partition by {{ thing }} order by log_epoch, log_partition, log_offset
                rows between unbounded preceding and 1 preceding
            ) then 'stale'
            else 'accepted'
        end as decision
    from (
        select
            placed.*,
            row_number() over (partition by {{ thing }}, event_id order by log_epoch, log_partition, log_offset) as sight
        from (
            select
                seen.*,
                min(batch_id) over (partition by {{ thing }}, topic_id) as log_epoch,
                max(batch_id) over (partition by {{ thing }}) as last_batch_id
            from {{ relation }} as seen
        ) as placed
    ) as ordered
{%- endmacro %}
