#!/bin/sh
# CPU of one request: bench/http_bench beside nginx's `return 200`, both with 32 connections of wrk.
#
#   ninja -C BUILD bench/http_bench && bench/http.sh BUILD/bench/http_bench [ROUNDS [SECONDS]]
#
# They take turns, since a shared machine's speed drifts; look at the ratio of medians.
set -eu
server=$1 rounds=${2:-5} seconds=${3:-3}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

cat > "$dir/nginx.conf" <<CONF
worker_processes 1;
daemon off;
master_process off;
pid $dir/pid;
error_log $dir/log;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 1000000000;
    default_type text/plain;
    client_body_temp_path $dir/1; proxy_temp_path $dir/2; fastcgi_temp_path $dir/3;
    uwsgi_temp_path $dir/4; scgi_temp_path $dir/5;
    server { listen 127.0.0.1:18390; location / { return 200 "xx"; } }
}
CONF

# measure NAME PORT COMMAND...: "NAME us-per-request requests-per-second"
measure() {
    name=$1 port=$2
    shift 2
    "$@" > /dev/null 2>&1 &
    pid=$!
    until wrk -t1 -c32 -d1 "http://127.0.0.1:$port/" 2> /dev/null | grep -q 'requests in'; do
        kill -0 "$pid"
    done
    before=$(cut -d' ' -f1 "/proc/$pid/schedstat")
    wrk -t1 -c32 "-d$seconds" "http://127.0.0.1:$port/" > "$dir/wrk"
    after=$(cut -d' ' -f1 "/proc/$pid/schedstat")
    kill "$pid"
    wait "$pid" 2> /dev/null || true
    awk -v name="$name" -v ns=$((after - before)) '/requests in/ { n = $1 } /Requests\/sec/ { rps = $2 }
        END { printf "%s %.3f %.0f\n", name, ns / 1000 / n, rps }' "$dir/wrk"
}

for _ in $(seq "$rounds"); do
    measure nginx 18390 nginx -c "$dir/nginx.conf"
    measure brood 18391 "$server" 127.0.0.1:18391 2
done | tee "$dir/all"
for name in nginx brood; do
    grep "^$name " "$dir/all" | sort -n -k2 | awk '{ v[NR] = $2 } END { print v[int((NR + 1) / 2)] }'
done | paste - - | awk '{ printf "median CPU: nginx %s us, brood %s us a request, ratio %.2f\n", $1, $2, $2 / $1 }'
