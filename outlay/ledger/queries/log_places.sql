-- page: expenses
-- grain: one partition of the log of transactions, with the offset that live reads next
-- parameters: none
--
-- Offsets are of no workspace: the condition says only that a session has named one, as every query asks.
SELECT o.topic_id, o.partition, o.next_offset
FROM live.offsets AS o
WHERE o.topic = 'transaction' AND live.current_workspace() IS NOT NULL
