-- The event's own fields that are null, and no others: what is null within a field is part of it.
UPDATE live.events
SET state = (SELECT jsonb_object_agg(key, value) FROM jsonb_each(state) WHERE value <> 'null')
WHERE EXISTS (SELECT FROM jsonb_each(state) WHERE value = 'null');

UPDATE live.entities
SET state = (SELECT jsonb_object_agg(key, value) FROM jsonb_each(state) WHERE value <> 'null')
WHERE EXISTS (SELECT FROM jsonb_each(state) WHERE value = 'null');
