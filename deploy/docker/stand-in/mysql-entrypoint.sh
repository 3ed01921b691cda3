#!/bin/bash
# Starts MariaDB as the official MySQL image starts mysqld: on first start it makes the data files,
# the root account (MYSQL_ROOT_PASSWORD, from MYSQL_ROOT_HOST, default %), MYSQL_DATABASE, and
# MYSQL_USER with MYSQL_PASSWORD. Arguments that begin with a dash are options of the server.
set -euo pipefail

if [ "$#" = 0 ] || [ "${1#-}" != "$1" ]; then set -- mariadbd "$@"; fi
case $1 in
mysqld) shift && set -- mariadbd "$@" ;;
mariadbd) ;;
*) exec "$@" ;;
esac
shift

data=/var/lib/mysql
quoted() { # a string as an SQL literal
    local text=${1//\\/\\\\}
    printf "'%s'" "${text//\'/\'\'}"
}

accounts() {
    local root_host=${MYSQL_ROOT_HOST:-%}
    echo "FLUSH PRIVILEGES;"
    echo "CREATE USER IF NOT EXISTS 'root'@$(quoted "$root_host");"
    echo "ALTER USER 'root'@$(quoted "$root_host") IDENTIFIED BY $(quoted "$MYSQL_ROOT_PASSWORD");"
    echo "GRANT ALL PRIVILEGES ON *.* TO 'root'@$(quoted "$root_host") WITH GRANT OPTION;"
    # What the installer leaves without a password.
    local open_host
    for open_host in 127.0.0.1 ::1 "$(hostname)"; do
        if [ "$open_host" != "$root_host" ]; then echo "DROP USER IF EXISTS 'root'@'$open_host';"; fi
    done
    echo "ALTER USER 'root'@'localhost' IDENTIFIED BY $(quoted "$MYSQL_ROOT_PASSWORD");"
    if [ -n "${MYSQL_DATABASE:-}" ]; then echo "CREATE DATABASE IF NOT EXISTS \`$MYSQL_DATABASE\`;"; fi
    if [ -n "${MYSQL_USER:-}" ]; then
        echo "CREATE USER $(quoted "$MYSQL_USER")@'%' IDENTIFIED BY $(quoted "$MYSQL_PASSWORD");"
        if [ -n "${MYSQL_DATABASE:-}" ]; then
            echo "GRANT ALL PRIVILEGES ON \`$MYSQL_DATABASE\`.* TO $(quoted "$MYSQL_USER")@'%';"
        fi
    fi
}

if [ ! -d "$data/mysql" ]; then
    if [ -z "${MYSQL_ROOT_PASSWORD:-}" ]; then
        echo "MYSQL_ROOT_PASSWORD is not set: it has no default." >&2
        exit 1
    fi
    rm -rf "$data/unfinished"
    mariadb-install-db --user=mysql --datadir="$data/unfinished" --skip-test-db \
        --auth-root-authentication-method=normal >/dev/null
    accounts | mariadbd --user=mysql --datadir="$data/unfinished" --bootstrap --skip-log-bin
    find "$data/unfinished" -mindepth 1 -maxdepth 1 ! -name mysql -exec mv -t "$data" {} +
    mv "$data/unfinished/mysql" "$data/mysql" # last: it is what says that all is done
    rmdir "$data/unfinished"
fi
chown mysql:mysql "$data"
exec mariadbd --user=mysql --datadir="$data" --bind-address=0.0.0.0 "$@"
