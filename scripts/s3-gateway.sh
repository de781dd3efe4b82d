#!/usr/bin/env bash
# A real S3 server on the loopback address, for the tests: Ceph's gateway over a store in memory, as Debian packs it.
#   s3-gateway.sh install            the Debian packages that it needs, some 60 MB (as root)
#   s3-gateway.sh start DIR [PORT]   empties DIR, starts, waits until it answers, and prints what the tests want set
#   s3-gateway.sh stop DIR           ends exactly the processes that start began; what they held is gone
set -euo pipefail
verb=${1:-} dir=${2:-} port=${3:-8333}

usage() {
  sed -n '2,5p' "$0" >&2
  exit 2
}

configuration() {
  cat <<END
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon_initial_members = a
mon_host = v2:127.0.0.1:$((port + 1000))
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
osd_heartbeat_grace = 100000
mon_osd_report_timeout = 100000
mon_osd_min_up_ratio = 1
ms_connection_idle_timeout = 100000
ms_tcp_read_timeout = 100000
osd_objectstore = memstore
memstore_device_bytes = 3221225472
osd_class_load_list = *
osd_class_default_list = *
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
mon_data = $dir/mon
osd_data = $dir/osd
run_dir = $dir/run
admin_socket = $dir/run/\$name.asok
log_file = $dir/log/\$name.log
pid_file = $dir/run/\$name.pid
rgw_data = $dir/rgw
END
}

answers() { curl -s -o /dev/null "http://127.0.0.1:$port/"; }

start() {
  rm -rf "$dir"
  mkdir -p "$dir"/{mon,osd,run,log,rgw}
  dir=$(cd "$dir" && pwd)
  cd "$dir"
  configuration >ceph.conf
  local c=(-c "$dir/ceph.conf")
  monmaptool --create --clobber --addv a "[v2:127.0.0.1:$((port + 1000))]" \
    --fsid "$(sed -n 's/^fsid = //p' ceph.conf)" monmap >/dev/null
  ceph-mon "${c[@]}" -i a --mkfs --monmap monmap
  ceph-mon "${c[@]}" -i a -f >log/mon.out 2>&1 &
  echo $! >mon.id
  ceph "${c[@]}" osd create >/dev/null
  ceph-osd "${c[@]}" -i 0 --mkfs >/dev/null 2>&1
  ceph "${c[@]}" osd crush add osd.0 1.0 root=default host=h >/dev/null 2>&1
  ceph-osd "${c[@]}" -i 0 -f >log/osd.out 2>&1 &
  echo $! >osd.id
  radosgw "${c[@]}" -n client.admin --rgw-frontends="beast endpoint=127.0.0.1:$port" -f >log/rgw.out 2>&1 &
  echo $! >rgw.id
  for _ in $(seq 300); do
    if answers; then break; fi
    sleep 0.2
  done
  answers || { echo "s3-gateway: no answer on port $port; $dir/log says why" >&2; exit 1; }
  radosgw-admin "${c[@]}" user create --uid test --display-name test --access-key AKTEST --secret-key SKTEST >/dev/null 2>&1
  printf 'SPIRAL_TEST_S3=http://127.0.0.1:%s\nAWS_ACCESS_KEY_ID=AKTEST\nAWS_SECRET_ACCESS_KEY=SKTEST\n' "$port"
}

case "$verb" in
install)
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    ceph-mon ceph-osd radosgw ceph-common curl >/dev/null
  ;;
start)
  [[ -n "$dir" ]] || usage
  start
  ;;
stop)
  [[ -n "$dir" ]] || usage
  # All of it is in memory: there is nothing to flush.
  for part in rgw osd mon; do
    [[ -f "$dir/$part.id" ]] || continue
    kill -9 "$(cat "$dir/$part.id")" 2>/dev/null || true
    rm -f "$dir/$part.id"
  done
  ;;
*) usage ;;
esac
