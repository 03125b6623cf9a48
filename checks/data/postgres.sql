-- What PostgreSQL's superuser sees, as one JSON object; see checks/data/data_host.py.
SELECT json_build_object(
'hba', (SELECT json_agg(r) FROM pg_hba_file_rules r),
'ident', (SELECT json_agg(r) FROM pg_ident_file_mappings r),
'roles', (SELECT json_agg(json_build_object('name', a.rolname, 'super', a.rolsuper, 'createrole', a.rolcreaterole,
    'createdb', a.rolcreatedb, 'login', a.rolcanlogin, 'replication', a.rolreplication, 'bypassrls', a.rolbypassrls,
    'config', coalesce(r.rolconfig, '{}'), 'most', a.rolconnlimit, 'until', a.rolvaliduntil, 'password', CASE WHEN a.rolpassword IS NULL THEN 'none'
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
'rights', (SELECT json_agg(json_build_array(CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END,
    g.privilege_type, g.kind, g.name)) FROM (
    SELECT 'database' kind, datname::text name, datdba owner, acl.* FROM pg_database, aclexplode(datacl) acl
        WHERE datname = current_database()
    UNION ALL SELECT 'schema', nspname, nspowner, acl.* FROM pg_namespace, aclexplode(nspacl) acl
    UNION ALL SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'relation' END, c.oid::regclass::text, relowner, acl.*
        FROM pg_class c, aclexplode(relacl) acl
    UNION ALL SELECT 'column', a.attrelid::regclass || '.' || attname, relowner, acl.* FROM pg_attribute a
        JOIN pg_class c ON c.oid = attrelid, aclexplode(attacl) acl WHERE NOT EXISTS (SELECT FROM pg_init_privs i
        WHERE i.classoid = 'pg_class'::regclass AND i.objoid = c.oid AND i.objsubid = a.attnum AND i.initprivs = a.attacl)
    UNION ALL SELECT 'function', p.oid::regprocedure::text, proowner, acl.* FROM pg_proc p, aclexplode(proacl) acl
        WHERE pronamespace = 'pg_catalog'::regnamespace AND NOT EXISTS (SELECT FROM pg_init_privs i
        WHERE i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid AND i.initprivs = p.proacl)
    UNION ALL SELECT 'parameter', parname, 10, acl.* FROM pg_parameter_acl, aclexplode(paracl) acl
    ) g WHERE g.grantee NOT IN (10, g.owner) AND NOT starts_with(coalesce(pg_get_userbyid(g.grantee), ''), 'pg_')
    AND NOT (g.grantee = 0 AND g.kind <> 'column' AND g.privilege_type IN ('SELECT', 'USAGE', 'UPDATE')
        AND g.name ~ '^(pg_|information_schema)')),
'fragile', (SELECT json_agg(said) FROM (
    SELECT c.oid::regclass || ' is UNLOGGED: a crash empties it' said FROM pg_class c
        WHERE relpersistence = 'u' AND relkind IN ('r', 'p', 'S')
    UNION ALL SELECT c.oid::regclass || ' is not vacuumed' FROM pg_class c WHERE reloptions && ARRAY['autovacuum_enabled=false',
        'autovacuum_enabled=off', 'autovacuum_enabled=0', 'toast.autovacuum_enabled=false']
    UNION ALL SELECT indexrelid::regclass || ' is not valid: queries do not use it' FROM pg_index WHERE NOT indisvalid
        AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE index_relid = indexrelid)
    UNION ALL SELECT 'trigger ' || tgname || ' of ' || tgrelid::regclass || ' is disabled' FROM pg_trigger
        WHERE tgenabled = 'D') f),
'held', (SELECT json_agg(said) FROM (
    SELECT 'replication slot ' || slot_name || ' keeps the log from ' || coalesce(restart_lsn::text, 'now') said
        FROM pg_replication_slots
    UNION ALL SELECT 'a prepared transaction has waited since ' || date_trunc('second', prepared) FROM pg_prepared_xacts
        WHERE prepared < now() - interval '10 minutes'
    UNION ALL SELECT 'a session of ' || usename || ' has had a transaction open since ' || date_trunc('second', xact_start)
        FROM pg_stat_activity WHERE xact_start < now() - interval '1 hour' AND backend_type = 'client backend') h),
'copied', (SELECT json_agg(said) FROM (
    SELECT 'publication ' || pubname said FROM pg_publication UNION ALL SELECT 'subscription ' || subname FROM pg_subscription
    UNION ALL SELECT 'server ' || srvname FROM pg_foreign_server
    UNION ALL SELECT 'a standby at ' || coalesce(client_addr::text, 'the socket') FROM pg_stat_replication
    UNION ALL SELECT 'event trigger ' || evtname FROM pg_event_trigger) c),
'databases', (SELECT json_agg(datname) FROM pg_database WHERE NOT datistemplate AND datallowconn),
'untrusted', (SELECT json_agg(lanname) FROM pg_language WHERE NOT lanpltrusted AND lanname NOT IN ('internal', 'c')),
'extensions', (SELECT json_agg(extname) FROM pg_extension),
'settings', (SELECT json_object_agg(name, json_build_object('value', current_setting(name), 'source', source,
    'file', coalesce(sourcefile, ''), 'pending', pending_restart)) FROM pg_settings),
'files', (SELECT json_agg(json_build_object('file', sourcefile, 'name', name, 'value', setting, 'applied', applied,
    'error', coalesce(error, ''))) FROM pg_file_settings),
'loaded', extract(epoch FROM pg_conf_load_time()),
'started', extract(epoch FROM pg_postmaster_start_time()))
