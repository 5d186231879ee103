-- page: expenses
-- grain: one transaction of the workspace, in its current state
-- parameters: status, kinds, accounts, merchants, currency, min_amount, max_amount, tags, source, has_attachment, external_id, first_day, last_day, categories, words, sort, after_day, after_amount, after_name, after_id, size
--
-- Every filter is optional: NULL leaves it out. The page after a row starts behind that row's (sort key, transaction_id),
-- so the hundredth page costs what the first does. Planned with its values, each CASE on the sort becomes a plain column,
-- and both orders by day read the index (workspace_id, occurred_on desc, transaction_id).
SELECT
    t.transaction_id, t.version, t.operation, t.kind, t.status, t.occurred_on, t.posted_on, t.amount, t.currency,
    t.merchant, t.description, t.counterparty, t.account_id, t.category_id, t.category_source, t.mcc, t.note, t.tags,
    t.refund_of, t.transfer_pair, t.attachments, t.source, t.external_id, t.recorded_at,
    coalesce(t.merchant, t.description, t.counterparty, '') AS name
FROM live.transactions AS t
WHERE
    t.workspace_id = live.current_workspace()
    AND CASE
        WHEN %(status)s::text IS NULL THEN t.operation <> 'voided'
        WHEN %(status)s = 'any' THEN true
        WHEN %(status)s = 'void' THEN t.operation = 'voided'
        ELSE t.operation <> 'voided' AND t.status = %(status)s
    END
    AND (%(kinds)s::text[] IS NULL OR t.kind = ANY(%(kinds)s))
    AND (%(accounts)s::uuid[] IS NULL OR t.account_id = ANY(%(accounts)s))
    AND (%(merchants)s::text[] IS NULL OR t.merchant = ANY(%(merchants)s))
    AND (%(currency)s::text IS NULL OR t.currency = %(currency)s)
    AND (%(min_amount)s::numeric IS NULL OR t.amount >= %(min_amount)s)
    AND (%(max_amount)s::numeric IS NULL OR t.amount <= %(max_amount)s)
    AND (%(tags)s::text[] IS NULL OR t.tags @> %(tags)s)
    AND (%(source)s::text IS NULL OR t.source = %(source)s)
    AND (%(has_attachment)s::boolean IS NULL OR (t.attachments <> '[]') = %(has_attachment)s)
    AND (%(external_id)s::text IS NULL OR (t.external_id = %(external_id)s AND length(t.external_id) <= 50))
    AND (%(first_day)s::date IS NULL OR t.occurred_on >= %(first_day)s)
    AND (%(last_day)s::date IS NULL OR t.occurred_on <= %(last_day)s)
    AND (
        %(categories)s::text[] IS NULL
        OR t.category_id = ANY(%(categories)s)
        OR t.transaction_id IN (
            SELECT l.transaction_id FROM live.transaction_lines AS l
            WHERE l.workspace_id = live.current_workspace() AND l.category_id = ANY(%(categories)s)
        )
        OR (
            'uncategorised' = ANY(%(categories)s)
            AND EXISTS (
                SELECT FROM (VALUES (t.workspace_id, t.transaction_id)) AS own (workspace_id, transaction_id)
                LEFT JOIN live.transaction_lines AS l USING (workspace_id, transaction_id)
                WHERE CASE WHEN l.line_id IS NULL THEN t.category_id ELSE l.category_id END IS NULL
            )
        )
    )
    AND (
        %(words)s::text[] IS NULL
        OR concat_ws(' ', t.merchant, t.description, t.counterparty, t.note, array_to_string(t.tags, ' ')) ILIKE ALL(%(words)s)
    )
    AND (
        %(after_id)s::uuid IS NULL
        OR CASE %(sort)s
            WHEN 'newest' THEN t.occurred_on < %(after_day)s OR t.transaction_id > %(after_id)s
            WHEN 'oldest' THEN t.occurred_on > %(after_day)s OR t.transaction_id < %(after_id)s
            WHEN 'largest' THEN t.amount < %(after_amount)s OR (t.amount = %(after_amount)s AND t.transaction_id > %(after_id)s)
            WHEN 'smallest' THEN t.amount > %(after_amount)s OR (t.amount = %(after_amount)s AND t.transaction_id > %(after_id)s)
            ELSE (coalesce(t.merchant, t.description, t.counterparty, ''), t.transaction_id) > (%(after_name)s, %(after_id)s)
        END
    )
    AND (%(after_day)s::date IS NULL OR %(sort)s <> 'newest' OR t.occurred_on <= %(after_day)s)
    AND (%(after_day)s::date IS NULL OR %(sort)s <> 'oldest' OR t.occurred_on >= %(after_day)s)
ORDER BY
    CASE WHEN %(sort)s = 'newest' THEN t.occurred_on END DESC,
    CASE WHEN %(sort)s = 'oldest' THEN t.occurred_on END ASC,
    CASE WHEN %(sort)s = 'largest' THEN t.amount END DESC,
    CASE WHEN %(sort)s = 'smallest' THEN t.amount END ASC,
    CASE WHEN %(sort)s = 'name' THEN coalesce(t.merchant, t.description, t.counterparty, '') END ASC,
    CASE WHEN %(sort)s = 'oldest' THEN t.transaction_id END DESC,
    t.transaction_id
LIMIT %(size)s
