-- What PostgreSQL's superuser sees, as one JSON object; see checks/data/data_host.py.
SELECT json_build_object(
'hba', (SELECT json_agg(r) FROM pg_hba_file_rules r),
'ident', (SELECT json_agg(r) FROM pg_ident_file_mappings r),
'roles', (SELECT json_agg(json_build_object('name', a.rolname, 'super', a.rolsuper, 'createrole', a.rolcreaterole,
    'createdb', a.rolcreatedb, 'login', a.rolcanlogin, 'replication', a.rolreplication, 'bypassrls', a.rolbypassrls,
    'config', coalesce(r.rolconfig, '{}'), 'password', CASE WHEN a.rolpassword IS NULL THEN 'none'
    WHEN starts_with(a.rolpassword, 'SCRAM-SHA-256$') THEN 'scram-sha-256'
    WHEN starts_with(a.rolpassword, 'md5') THEN 'md5' ELSE 'clear' END))
    FROM pg_authid a JOIN pg_roles r USING (oid) WHERE NOT starts_with(a.rolname, 'pg_')),
'members', (SELECT json_agg(json_build_array(m.rolname, r.rolname)) FROM pg_auth_members
    JOIN pg_authid m ON m.oid = member JOIN pg_authid r ON r.oid = roleid WHERE NOT starts_with(m.rolname, 'pg_')),
'role_settings', (SELECT json_agg(json_build_array(coalesce(a.rolname, 'every role'), coalesce(d.datname, ''), s.setconfig))
    FROM pg_db_role_setting s LEFT JOIN pg_authid a ON a.oid = setrole LEFT JOIN pg_database d ON d.oid = setdatabase),
'owners', (SELECT json_agg(json_build_array(kind, name, owner)) FROM (
    SELECT 'database' kind, datname::text name, datdba::regrole::text owner FROM pg_database
        WHERE datname = current_database()
    UNION ALL SELECT 'schema', nspname, nspowner::regrole::text FROM pg_namespace n
        WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    UNION ALL SELECT 'relation', c.oid::regclass::text, relowner::regrole::text FROM pg_class c
        JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND deptype = 'e')
    UNION ALL SELECT 'function', p.oid::regprocedure::text, proowner::regrole::text FROM pg_proc p
        JOIN pg_namespace n ON n.oid = pronamespace
        WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND deptype = 'e')
    ) o),
'definers', (SELECT json_agg(p.oid::regprocedure::text) FROM pg_proc p JOIN pg_authid a ON a.oid = proowner
    JOIN pg_namespace n ON n.oid = pronamespace WHERE prosecdef AND (a.rolsuper OR nspname ~ '^pg_')),
'public', (SELECT json_agg(json_build_array(c.oid::regclass::text, acl.privilege_type)) FROM pg_class c
    JOIN pg_namespace n ON n.oid = relnamespace, aclexplode(relacl) acl
    WHERE acl.grantee = 0 AND nspname !~ '^pg_' AND nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND deptype = 'e')),
'untrusted', (SELECT json_agg(lanname) FROM pg_language WHERE NOT lanpltrusted AND lanname NOT IN ('internal', 'c')),
'extensions', (SELECT json_agg(extname) FROM pg_extension),
'settings', (SELECT json_object_agg(name, json_build_object('value', current_setting(name), 'source', source,
    'file', coalesce(sourcefile, ''), 'pending', pending_restart)) FROM pg_settings),
'files', (SELECT json_agg(json_build_object('file', sourcefile, 'name', name, 'value', setting, 'applied', applied,
    'error', coalesce(error, ''))) FROM pg_file_settings),
'loaded', extract(epoch FROM pg_conf_load_time()),
'started', extract(epoch FROM pg_postmaster_start_time()))
