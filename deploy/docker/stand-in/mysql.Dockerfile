# MariaDB 10.11, NOT MySQL: stands in for mysql:8.4 in tests where no image can be pulled. It takes
# the variables and the configuration folder (/etc/mysql/conf.d) of the official image.
FROM holdfast-local/debian:bookworm
LABEL org.holdfast.stand-in="MariaDB 10.11 from Debian, not MySQL"
RUN apt-get -q update \
    && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends \
        mariadb-server \
    && rm -rf /var/lib/apt/lists/* /var/lib/mysql/* /etc/mysql/mariadb.conf.d/50-server.cnf \
    && install -d -o mysql -g mysql /run/mysqld
COPY mysql-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/mysql
EXPOSE 3306
ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]
CMD ["mariadbd"]
