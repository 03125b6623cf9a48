"""What scanners ask every site for, and in how many ways a path can be written."""

from __future__ import annotations

from itertools import product

_BACKUPS = (
    "backup",
    "backups",
    "bak",
    "dump",
    "db",
    "database",
    "data",
    "old",
    "site",
    "www",
    "web",
    "app",
    "prod",
)
_ARCHIVES = ("sql", "sql.gz", "zip", "tar", "tar.gz", "tgz", "7z", "rar", "bak", "dump")
_ENVS = (
    *("local", "prod", "production", "dev", "development", "staging", "stage", "test", "ci", "docker"),
    *("bak", "backup", "old", "orig", "save", "swp", "example", "sample", "dist", "json", "txt", "1"),
)
_FOLDERS = ("", "/api", "/app", "/admin", "/backend", "/config", "/public", "/src", "/web", "/assets")
_SOURCES = (
    *("index", "main", "app", "server", "web", "worker", "config", "env", "settings", "routes", "database"),
)
_LEFT_OVERS = ("~", ".bak", ".old", ".orig", ".swp", ".save", ".1", ".tmp", ".copy")
_ALONE = """
/.git/HEAD /.git/config /.git/index /.git/logs/HEAD /.git/refs/heads/main /.gitignore /.gitattributes
/.gitlab-ci.yml /.github/workflows/ci.yml /.svn/entries /.svn/wc.db /.hg/hgrc /.bzr/branch-format
/CVS/Entries /.DS_Store /.idea/workspace.xml /.vscode/settings.json /.vscode/sftp.json /.editorconfig
/.dockerignore /.npmrc /.yarnrc /.yarnrc.yml /.pypirc /.netrc /.pgpass /.my.cnf /.bash_history
/.zsh_history /.bashrc /.profile /.ssh/id_rsa /.ssh/id_ed25519 /.ssh/authorized_keys /.ssh/known_hosts
/.aws/credentials /.aws/config /.azure/accessTokens.json /.config/gcloud/credentials.db
/.docker/config.json /.kube/config /.htaccess /.htpasswd /id_rsa /id_rsa.pub /id_ed25519 /server.key
/server.pem /private.key /privatekey.pem /ssl.key /key.pem /cert.pem /site.pem /ca.key /jwt.key
/jwtRS256.key /secrets.json /secrets.yml /secrets.yaml /credentials.json /service-account.json
/firebase.json /google-services.json /config.yml /config.yaml /config.toml /config.ini /config.php
/config/database.yml /config/secrets.yml /config/master.key /config/default.json /config/production.json
/application.properties /application.yml /application-prod.yml /appsettings.json
/appsettings.Production.json /web.config /settings.py /local_settings.py /settings.json /parameters.yml
/database.yml /slipway.toml /Pulumi.yaml /Pulumi.prod.yaml /terraform.tfstate /terraform.tfstate.backup
/terraform.tfvars /serverless.yml /cdk.json /ansible.cfg /Vagrantfile /Dockerfile /docker-compose.yml
/docker-compose.yaml /docker-compose.prod.yml /compose.yaml /Makefile /Procfile /Jenkinsfile
/package.json /package-lock.json /yarn.lock /pnpm-lock.yaml /bun.lock /bun.lockb /bunfig.toml
/tsconfig.json /biome.json /vite.config.ts /webpack.config.js /next.config.js /composer.json
/composer.lock /Gemfile /Gemfile.lock /requirements.txt /Pipfile /Pipfile.lock /poetry.lock
/pyproject.toml /uv.lock /go.mod /Cargo.toml /pom.xml /build.gradle /mix.exs
/node_modules/.package-lock.json /node_modules/react/package.json /vendor/autoload.php
/vendor/composer/installed.json /__pycache__/app.cpython-311.pyc /migrations /migrations/0001_init.sql
/schema.sql /seed.sql /prisma/schema.prisma /db.sqlite /db.sqlite3 /database.sqlite /app.db /data.db
/dump.rdb /appendonly.aof /core /core.dump /heapdump /heap.hprof /heapsnapshot /debug /debug/ /debug/vars
/debug/pprof/ /debug/pprof/heap /debug/requests /debug/default/view /_debug /__debug__ /_debugbar
/_profiler /_profiler/phpinfo /_console /werkzeug /__inspect /json/list /json/version /_devtools
/devtools /__vite_ping /@vite/client /@fs/etc/passwd /_next/static/development/_buildManifest.js
/elmah.axd /trace.axd /server-status /server-info /nginx_status /status.php /info.php /phpinfo.php
/test.php /metrics /metrics/ /prometheus /prometheus/metrics /actuator /actuator/env /actuator/health
/actuator/heapdump /actuator/httptrace /actuator/loggers /actuator/mappings /actuator/metrics
/actuator/prometheus /actuator/threaddump /manage/env /jolokia /hawtio /haproxy?stats /haproxy_stats
/varnish_status /api/metrics /api/debug /api/env /env /dump /health/debug /healthz/verbose /ready /readyz
/livez /docs /docs/ /redoc /swagger /swagger/ /swagger-ui /swagger-ui/ /swagger-ui.html /swagger.json
/swagger.yaml /swagger/index.html /swagger/v1/swagger.json /openapi /openapi.json /openapi.yaml
/openapi.yml /api-docs /api/docs /api/swagger /api/swagger.json /api/openapi.json /v1/api-docs
/v2/api-docs /v3/api-docs /api/v1/docs /graphiql /playground /altair /voyager /graphql/schema
/graphql.schema.json /schema.graphql /logs /logs/ /error.log /error_log /access.log /debug.log /app.log
/server.log /production.log /log/production.log /logs/error.log /logs/app.log /npm-debug.log
/yarn-error.log /laravel.log /storage/logs/laravel.log /wp-config.php.bak /wp-config.php~
/wp-content/debug.log /adminer.php /phpmyadmin/ /pma/ /cgi-bin/ /cgi-bin/test.cgi /crossdomain.xml
/clientaccesspolicy.xml /WEB-INF/web.xml /META-INF/MANIFEST.MF /src/ /dist/ /coverage/ /tmp/ /temp/
/cache/ /proc/self/environ /etc/passwd /windows/win.ini
"""
"""The rest, one by one."""


def scanned(host_name: str, app: str) -> list[str]:
    """Every path of the scanners' list, for a site called `host_name` and an app called `app`."""
    own = {host_name, host_name.partition(".")[0], app} - {"localhost"}
    archives = (f"/{name}.{kind}" for name, kind in product([*_BACKUPS, *sorted(own)], _ARCHIVES))
    envs = (f"{folder}/.env{end}" for folder in _FOLDERS for end in ("", *(f".{name}" for name in _ENVS)))
    kinds = ("ts", "js", "py", "js.map", "css.map")
    sources = (f"{folder}/{name}.{kind}" for folder, name, kind in product(("/src", ""), _SOURCES, kinds))
    files = ("index.html", "main.js", "app.js", ".env")
    left = (f"/{name}{end}" for name, end in product(files, _LEFT_OVERS))
    of_page = {"/main.js", "/app.js", "/index.js", "/config.js", "/config.json"}  # a page may well have these
    every = dict.fromkeys([*_ALONE.split(), *archives, *envs, *sources, *left])
    return [path for path in every if path not in of_page]


def spellings(path: str, url: str) -> list[str]:
    """Other ways to write `path`, which a proxy and an app may read differently; `url` is the site's."""
    name = path.lstrip("/")
    first, rest = f"%{ord(name[0]):02x}", name[1:]
    every = "".join(f"%{ord(letter):02X}" for letter in name)
    return [
        *(f"//{name}", f"///{name}", f"/./{name}", f"/x/../{name}", f"/x//../{name}", f"//./{name}"),
        *(f"/{first}{rest}", f"/{every}", f"/%25{ord(name[0]):02x}{rest}", f"%2f{name}", f"/%2f{name}"),
        *(f"/%2e/{name}", f"/x/%2e%2e/{name}", f"/x/.%2e/{name}", f"/x%2f..%2f{name}", f"/%2e%2f{name}"),
        *(f"/\\{name}", f"/.\\{name}", f"/x\\..\\{name}", f"/x/..\\{name}", f"\\{name}", f"/\\/{name}"),
        *(f"/%5c{name}", f"/.%5c{name}", f"/x%5c..%5c{name}", f"/x/..%5c{name}", f"/%5C%2e%5C{name}"),
        *(f"{path}/", f"{path}//", f"{path}/.", f"{path}/x/..", f"{path}\\", f"{path}%2f", f"{path}%5c"),
        *(
            f"{path}?a=b",
            f"{path}?",
            f"{path}#x",
            f"{path};x=1",
            f"{path}/;x",
            f"/;/{name}",
        ),
        *(f"/{name.upper()}", f"/{name.title()}", f"{path}%20", f"{path}%09", f"{path}%00", f"{path}."),
        *(f"/%c0%ae/{name}", f"/%c0%af{name}", f"/%ef%bc%8f{name}", f"/.;/{name}", f"/x;/../{name}"),
        *(f"{url}{path}", f"{url}//{name}", f"{url}/x/../{name}", f"https://localhost\\@x{path}"),
        *(f"/%09/{name}", f"/\t/{name}", f"/%0a{name}", f"/{name}%23", f"/{name}%3f", f"/{name}.json"),
    ]
