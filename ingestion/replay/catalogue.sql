-- What the catalogue says of the tables of a schema, and the statements that make the same tables, empty, in another.
-- To be run with an empty search_path, so that every name in a definition has its schema.

-- name: tables
SELECT c.relname FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname

-- name: views
SELECT c.relname, pg_catalog.pg_get_viewdef(c.oid) AS definition, c.reloptions
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind = 'v' ORDER BY c.oid

-- name: describe
-- One row for each thing that a table consists of, in an order of its own.
SELECT c.relname, part.what, part.definition
FROM pg_catalog.pg_class AS c
CROSS JOIN LATERAL (
    SELECT 'table' AS what, format(
        'kind %%s, persistence %%s, owner %%s, row security %%s, forced %%s, replica identity %%s, options %%s, '
        'toast options %%s, access method %%s, tablespace %%s, comment %%L',
        c.relkind, c.relpersistence, c.relowner::regrole, c.relrowsecurity, c.relforcerowsecurity, c.relreplident,
        (SELECT array_agg(o ORDER BY o) FROM unnest(c.reloptions) AS o),
        (SELECT t.reloptions FROM pg_catalog.pg_class AS t WHERE t.oid = c.reltoastrelid), c.relam, c.reltablespace,
        obj_description(c.oid, 'pg_class')) AS definition
    UNION ALL
    SELECT 'column ' || a.attname, format(
        'number %%s, %%s, not null %%s, default %%s, generated %%L, identity %%L, collation %%s, storage %%s, '
        'compression %%L, statistics %%s, options %%s, comment %%L',
        row_number() OVER (ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod), a.attnotnull,
        pg_get_expr(d.adbin, d.adrelid), a.attgenerated, a.attidentity, a.attcollation::regcollation, a.attstorage,
        a.attcompression, a.attstattarget, a.attoptions, col_description(c.oid, a.attnum))
    FROM pg_catalog.pg_attribute AS a
    LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'constraint ' || k.conname, format(
        '%%s, validated %%s, comment %%L', pg_get_constraintdef(k.oid), k.convalidated,
        obj_description(k.oid, 'pg_constraint'))
    FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = c.oid
    UNION ALL
    SELECT 'index ' || x.relname, format(
        '%%s, clustered %%s, replica identity %%s, comment %%L', pg_get_indexdef(x.oid), i.indisclustered,
        i.indisreplident, obj_description(x.oid, 'pg_class'))
    FROM pg_catalog.pg_index AS i INNER JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid
    UNION ALL
    SELECT 'policy ' || p.policyname, format(
        '%%s for %%s to %%s using %%s with check %%s', p.permissive, p.cmd, p.roles, p.qual, p.with_check)
    FROM pg_catalog.pg_policies AS p WHERE p.schemaname = %(schema)s AND p.tablename = c.relname
    UNION ALL
    SELECT 'trigger ' || t.tgname, format('%%s, enabled %%s', pg_get_triggerdef(t.oid), t.tgenabled)
    FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT 'rule ' || r.rulename, pg_get_ruledef(r.oid) FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class = c.oid
    UNION ALL
    SELECT 'publication ' || n.pubname, '' FROM pg_catalog.pg_publication_tables AS n
    WHERE n.schemaname = %(schema)s AND n.tablename = c.relname
    UNION ALL
    SELECT 'grant to ' || CASE g.grantee WHEN 0 THEN 'public' ELSE g.grantee::regrole::text END, string_agg(
        g.privilege_type || CASE WHEN g.is_grantable THEN ' with grant option' ELSE '' END, ', '
        ORDER BY g.privilege_type)
    FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS g GROUP BY g.grantee
    UNION ALL
    SELECT format('grant on %%s to %%s', a.attname, CASE g.grantee WHEN 0 THEN 'public' ELSE g.grantee::regrole::text END),
           string_agg(g.privilege_type || CASE WHEN g.is_grantable THEN ' with grant option' ELSE '' END, ', '
                      ORDER BY g.privilege_type)
    FROM pg_catalog.pg_attribute AS a CROSS JOIN aclexplode(a.attacl) AS g
    WHERE a.attrelid = c.oid AND NOT a.attisdropped GROUP BY a.attname, g.grantee
) AS part
WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind IN ('r', 'p')
ORDER BY c.relname, part.what

-- name: make
-- Names of the tables in what is quoted from the catalogue are still those of the schema itself.
WITH t AS (
    SELECT c.*, format('%%I.%%I', %(schema)s::text, c.relname) AS old,
           format('%%I.%%I', %(twin)s::text, c.relname) AS new
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind IN ('r', 'p')
)
SELECT step, statement FROM (
    SELECT 1 AS step, format('CREATE TABLE %%s (LIKE %%s INCLUDING ALL EXCLUDING INDEXES)', new, old) AS statement
    FROM t
    UNION ALL
    SELECT 2, pg_get_indexdef(i.indexrelid) FROM t INNER JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.contype = 'x')
    UNION ALL
    SELECT 3, format('ALTER TABLE %%s OWNER TO %%s', new, relowner::regrole) FROM t
    UNION ALL
    SELECT 3, format('ALTER TABLE %%s SET (%%s)', new, o) FROM t CROSS JOIN unnest(t.reloptions) AS o
    UNION ALL
    SELECT 3, format('ALTER TABLE %%s SET (toast.%%s)', t.new, o)
    FROM t INNER JOIN pg_catalog.pg_class AS toast ON toast.oid = t.reltoastrelid CROSS JOIN unnest(toast.reloptions) AS o
    UNION ALL
    SELECT 3, format('ALTER TABLE %%s ALTER COLUMN %%I SET STATISTICS %%s', t.new, a.attname, a.attstattarget)
    FROM t INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND NOT a.attisdropped
    WHERE a.attnum > 0 AND a.attstattarget >= 0
    UNION ALL
    SELECT 4, format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s USING INDEX %%I', t.new, k.conname,
                     CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END, x.relname)
    FROM t
    INNER JOIN pg_catalog.pg_constraint AS k ON k.conrelid = t.oid AND k.contype IN ('p', 'u')
    INNER JOIN pg_catalog.pg_class AS x ON x.oid = k.conindid
    UNION ALL
    SELECT 5, format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', t.new, k.conname, pg_get_constraintdef(k.oid))
    FROM t INNER JOIN pg_catalog.pg_constraint AS k ON k.conrelid = t.oid AND k.contype IN ('f', 'x')
    UNION ALL
    SELECT 6, format('ALTER TABLE %%s ENABLE ROW LEVEL SECURITY', new) FROM t WHERE relrowsecurity
    UNION ALL
    SELECT 6, format('ALTER TABLE %%s FORCE ROW LEVEL SECURITY', new) FROM t WHERE relforcerowsecurity
    UNION ALL
    SELECT 7, format('CREATE POLICY %%I ON %%s AS %%s FOR %%s TO %%s%%s%%s', p.policyname, t.new, p.permissive, p.cmd,
                     (SELECT string_agg(CASE r WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(r) END, ', ')
                      FROM unnest(p.roles) AS r),
                     ' USING (' || p.qual || ')', ' WITH CHECK (' || p.with_check || ')')
    FROM t INNER JOIN pg_catalog.pg_policies AS p ON p.schemaname = %(schema)s AND p.tablename = t.relname
    UNION ALL
    SELECT 8, pg_get_triggerdef(g.oid)
    FROM t INNER JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = t.oid WHERE NOT g.tgisinternal
    UNION ALL
    SELECT 9, format('REVOKE ALL ON %%s FROM PUBLIC, %%s', new, relowner::regrole) FROM t
    UNION ALL
    SELECT 10, format('GRANT %%s ON %%s TO %%s%%s', g.privilege_type, t.new,
                      CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END,
                      CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM t CROSS JOIN aclexplode(coalesce(t.relacl, acldefault('r', t.relowner))) AS g
    UNION ALL
    SELECT 11, format('GRANT %%s (%%I) ON %%s TO %%s%%s', g.privilege_type, a.attname, t.new,
                      CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END,
                      CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM t
    INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND NOT a.attisdropped
    CROSS JOIN aclexplode(a.attacl) AS g
    UNION ALL
    SELECT 12, format('COMMENT ON TABLE %%s IS %%L', new, obj_description(oid, 'pg_class'))
    FROM t WHERE obj_description(oid, 'pg_class') IS NOT NULL
    UNION ALL
    SELECT 12, format('COMMENT ON INDEX %%I.%%I IS %%L', %(twin)s::text, x.relname, obj_description(x.oid, 'pg_class'))
    FROM t
    INNER JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid
    INNER JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
    WHERE obj_description(x.oid, 'pg_class') IS NOT NULL
    UNION ALL
    SELECT 12, format('COMMENT ON CONSTRAINT %%I ON %%s IS %%L', k.conname, t.new, obj_description(k.oid, 'pg_constraint'))
    FROM t INNER JOIN pg_catalog.pg_constraint AS k ON k.conrelid = t.oid
    WHERE obj_description(k.oid, 'pg_constraint') IS NOT NULL
) AS made
ORDER BY step, statement

-- name: vacuuming
SELECT format('ALTER TABLE %%I.%%I ', %(twin)s::text, c.relname)
       || CASE WHEN o IS NULL THEN 'RESET (autovacuum_enabled)' ELSE format('SET (%%s)', o) END
FROM pg_catalog.pg_class AS c
LEFT JOIN LATERAL unnest(c.reloptions) AS o ON o LIKE 'autovacuum\_enabled=%%'
WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname

-- name: dependents
-- Views and functions that hold a table by its number: they have to be made again when another takes its name.
SELECT DISTINCT v.oid, v.relkind::text AS kind, format('%%I.%%I', n.nspname, v.relname) AS name,
       pg_get_viewdef(v.oid) AS definition, v.reloptions
FROM pg_catalog.pg_depend AS d
INNER JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid AND d.classid = 'pg_catalog.pg_rewrite'::regclass
INNER JOIN pg_catalog.pg_class AS v ON v.oid = r.ev_class
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = v.relnamespace
INNER JOIN pg_catalog.pg_class AS t ON t.oid = d.refobjid AND d.refclassid = 'pg_catalog.pg_class'::regclass
WHERE t.relnamespace = %(schema)s::regnamespace AND t.relkind IN ('r', 'p') AND v.oid <> t.oid
UNION ALL
SELECT DISTINCT p.oid, 'f', p.oid::regprocedure::text, pg_get_functiondef(p.oid), NULL::text[]
FROM pg_catalog.pg_depend AS d
INNER JOIN pg_catalog.pg_proc AS p ON p.oid = d.objid AND d.classid = 'pg_catalog.pg_proc'::regclass
INNER JOIN pg_catalog.pg_class AS t ON t.oid = d.refobjid AND d.refclassid = 'pg_catalog.pg_class'::regclass
WHERE t.relnamespace = %(schema)s::regnamespace AND t.relkind IN ('r', 'p')
ORDER BY 1

-- name: columns
-- What two builds of the same log have in common: no clock's time, nothing generated, and nothing of what people may
-- write, which are the columns that may be updated each by itself.
SELECT a.attname FROM pg_catalog.pg_attribute AS a
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %(table)s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  AND coalesce(pg_get_expr(d.adbin, d.adrelid) NOT IN ('clock_timestamp()', 'now()', 'CURRENT_TIMESTAMP'), true)
  AND NOT EXISTS (SELECT FROM aclexplode(a.attacl) AS g WHERE g.privilege_type = 'UPDATE')
ORDER BY a.attnum

-- name: documents
SELECT attname FROM pg_catalog.pg_attribute
WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped AND atttypid = 'jsonb'::regtype
ORDER BY attnum

-- name: written_later
-- The columns that `columns` leaves out and that can be set: they are not in the log.
SELECT a.attname FROM pg_catalog.pg_attribute AS a
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %(table)s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  AND (pg_get_expr(d.adbin, d.adrelid) IN ('clock_timestamp()', 'now()', 'CURRENT_TIMESTAMP')
       OR EXISTS (SELECT FROM aclexplode(a.attacl) AS g WHERE g.privilege_type = 'UPDATE'))
ORDER BY a.attnum

-- name: key
SELECT a.attname FROM pg_catalog.pg_index AS i
CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = %(table)s::regclass AND i.indisprimary
ORDER BY k.place
