#!/usr/bin/env bash
# ./dev run: the optimised binary with the vehicle-fleet example, in the foreground, and a page of things to try.
#   ./dev run            data directory ./data, empty the first time; kept, so a second run goes on with the same topics
#   ./dev run DIR        another data directory
#   ./dev run --fresh    an empty temporary directory
# Further words after -- go to `millrace serve` (for example: ./dev run -- --set mqtt.port=2883).
set -euo pipefail
cd "$(dirname "$0")/.."
config=examples/scenario-a.yaml
data=
while [ $# -gt 0 ]; do
  case $1 in
    --fresh) data=$(mktemp -d "${TMPDIR:-/tmp}/millrace-data.XXXXXX") ;;
    --) shift && break ;;
    -*) echo "run: unknown option '$1'; ./dev run [DIR | --fresh] [-- options of millrace serve]" >&2 && exit 2 ;;
    *) data=$1 ;;
  esac
  shift
done
data=${data:-./data}
if [ -e "$data/format" ]; then
  state="kept from an earlier run"
else
  state="empty"
  mkdir -p "$data"
fi

# Reads the server's lines; after the ready line, which names the ports, it prints the page once.
page() {
  trap '' INT TERM
  local line pid=$1 mqtt kafka http
  while IFS= read -r line; do
    printf '%s\n' "$line"
    case $line in "millrace ready:"*) ;; *) continue ;; esac
    mqtt=$(sed -n 's/.* mqtt=\([^ ]*\).*/\1/p' <<<"$line")
    kafka=$(sed -n 's/.* kafka=\([^ ]*\).*/\1/p' <<<"$line")
    http=$(sed -n 's/.* http=\([^ ]*\).*/\1/p' <<<"$line")
    cat <<TEXT

  Configuration $config, data directory $data ($state). Ctrl-C stops it. In another terminal:

  1  A device sends a message; mosquitto_pub returns when the message is on disk:
       mosquitto_pub -h ${mqtt%:*} -p ${mqtt##*:} -q 1 -i T-1001 -t report \\
         -m '{"type":"log","device_no":"T-1001","speed":42.5,"latitude":37.5665,"longitude":126.9780}'

  2  Read it as a Kafka record, with its key and partition:
       kcat -b $kafka -C -e -q -o beginning -t message-log -f '%t[%p] offset %o  key %k  %s\n'

  3  Kill it the hard way, start it again, and repeat command 2: nothing is lost.
       kill -9 $pid; ./dev run${data_argument}

  More: play a recorded hour of a real bus fleet as 159 devices, and check that every message arrived once and in order:
       build/release/millrace replay examples/bus-fleet/positions.csv --to $mqtt --verify kafka=$kafka
       curl -s http://$http/metrics

TEXT
  done
}

data_argument=
[ "$data" = ./data ] || data_argument=" $data"
exec build/release/millrace serve --config "$config" --data-dir "$data" "$@" > >(page $$)
