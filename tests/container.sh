#!/usr/bin/env bash
# Builds the Dockerfile for real and asks the result; run by hand, as root, on Debian with buildah and debootstrap.
#
# The base image is a stand-in of the same name, made of Debian's own packages, where no image registry can be
# reached: STAND_IN=0 takes the real one. KEEP=1 leaves the images and the work folder (WORK) for another run.
set -euo pipefail
cd "$(dirname "$0")/.."

STAND_IN=${STAND_IN:-1}
SUITE=${SUITE:-trixie}
WORK=${WORK:-$(mktemp -d /var/tmp/iometer-container.XXXXXX)}
BASE=$(sed -n 's/^ARG PYTHON_IMAGE=//p' Dockerfile)
IMAGE=localhost/iometer-exporter:container-test
PORT=${PORT:-$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')}
mkdir -p "$WORK"

store() { buildah --root "$WORK/storage" --runroot "$WORK/run" --storage-driver vfs "$@"; }
say() { printf '%s: %s\n' "$1" "$2"; }
fail() { say FAIL "$*" >&2; exit 1; }

container=""
server=""
mounted=""
# The process and all below it: `buildah run` does not hand signals on.
family() { echo "$1"; for child in $(pgrep -P "$1"); do family "$child"; done; }
cleanup() {
  # shellcheck disable=SC2046 # a list of numbers
  [ -z "$server" ] || kill $(family "$server") 2>/dev/null || true
  [ -z "$mounted" ] || umount "$mounted" 2>/dev/null || true
  [ -z "$container" ] || store rm "$container" >/dev/null 2>&1 || true
  if [ -z "${KEEP:-}" ]; then
    store rmi --all --force >/dev/null 2>&1 || true
    rm -rf "$WORK"
  fi
}
trap cleanup EXIT

# 1. A base image: Debian and its python3, under the name that the Dockerfile asks for.
if [ "$STAND_IN" = 1 ] && ! store inspect --type image "localhost/$BASE" >/dev/null 2>&1; then
  if [ ! -e "$WORK/rootfs/etc/os-release" ]; then
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$SUITE" "$WORK/rootfs" \
      >"$WORK/debootstrap.log" 2>&1 || fail "debootstrap, see $WORK/debootstrap.log"
  fi
  made=$(store from scratch)
  store add "$made" "$WORK/rootfs" / >/dev/null
  store config --env PATH=/usr/local/bin:/usr/bin:/bin --cmd python3 "$made"
  store commit --quiet "$made" "localhost/$BASE" >/dev/null
  store rm "$made" >/dev/null
  say ok "base image $BASE: stand-in of Debian $SUITE with $(chroot "$WORK/rootfs" python3 -V)"
fi

# 2. The image. What pip needs to find its packages on this host is handed on; it stays out of the image.
options=(--isolation chroot --format docker --build-arg "REVISION=container-test")
for name in PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_CERT; do
  [ -z "${!name:-}" ] || options+=(--env "$name=${!name}" --unsetenv "$name")
done
for path in ${BUILD_VOLUMES:-}; do
  options+=(--volume "$path:$path:ro")
done
[ "$STAND_IN" = 0 ] || options+=(--pull=never)
store bud "${options[@]}" --tag "$IMAGE" . >"$WORK/build.log" 2>&1 || { tail -20 "$WORK/build.log"; fail "build"; }
say ok "the Dockerfile builds"

# 3. What the image says of itself.
store inspect --type image "$IMAGE" >"$WORK/image.json"
python3 - "$WORK/image.json" <<'PYTHON'
import json, sys
with open(sys.argv[1]) as file:
    config = json.load(file)["Docker"]["config"]
assert config["User"] == "65532:65532", config["User"]
assert config["Entrypoint"] == ["iometer-exporter"] and config["Cmd"] == ["serve"], config
assert "10180/tcp" in config["ExposedPorts"], config
assert config["Healthcheck"]["Test"] == ["CMD", "iometer-exporter", "healthcheck"], config
assert config["StopSignal"] == "SIGTERM", config
assert config["Labels"]["org.opencontainers.image.revision"] == "container-test", config
assert not [value for value in config["Env"] if value.startswith("PIP_")], config["Env"]
PYTHON
say ok "user, entry point, port, health check, signal and labels are in the image"

# 4. What is in it: no pip, everything compiled.
container=$(store from --pull=never "$IMAGE")
inside() { store run --isolation chroot "$container" -- "$@"; }
root=$(store mount "$container")
mounted=""
[ -z "$(find "$root/opt/iometer-exporter" "$root/usr/local" -name 'pip*' -print -quit)" ] || fail "pip is in the image"
missing=$(find "$root/opt/iometer-exporter" -name '*.py' -path '*site-packages*' | while read -r source; do
  compiled=("$(dirname "$source")/__pycache__/$(basename "$source" .py)".cpython-*.pyc)
  [ -e "${compiled[0]}" ] || echo "$source"
done)
[ -z "$missing" ] || fail "not compiled: $(echo "$missing" | head -3)"
say ok "no pip; every module compiled; $(du -sm "$root/opt/iometer-exporter" | cut -f1) MB beside the base image"

# 5. Started as a container starts it, on a root that is read-only.
id=$(inside sh -c 'id -u; id -g' | tr '\n' ' ')
[ "$id" = "65532 65532 " ] || fail "runs as $id"
say ok "runs as user and group 65532"
# shellcheck disable=SC2016 # expanded inside
inside sh -c 'for folder in / /usr /etc /opt/iometer-exporter; do [ ! -w "$folder" ] || exit 9; done' \
  || fail "the user of the image can write to it"
say ok "the user of the image cannot write to what is in it"

before=$(find "$root" -xdev -newer "$WORK/build.log" -type f 2>/dev/null | sort)
store run --isolation chroot "$container" -- iometer-exporter demo --web.listen-address "127.0.0.1:$PORT" \
  >"$WORK/serve.log" 2>&1 &
server=$!
ask() { python3 - "http://127.0.0.1:$PORT$1" <<'PYTHON'
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
sys.stdout.write(opener.open(sys.argv[1], timeout=10).read().decode())
PYTHON
}
for _ in $(seq 100); do
  ask /-/ready >/dev/null 2>&1 && break
  kill -0 "$server" 2>/dev/null || { cat "$WORK/serve.log"; fail "the container ended"; }
  sleep 0.2
done
metrics=$(ask /metrics)
grep -q '^iometer_up{bridge=".*"} 1.0$' <<<"$metrics" || fail "no bridge that is up: $metrics"
grep -q '^iometer_energy_import_joules_total{' <<<"$metrics" || fail "no energy"
say ok "/metrics of the container: $(grep -c '^iometer_' <<<"$metrics") samples, the simulated bridge is up"
inside iometer-exporter healthcheck --url "http://localhost:$PORT/-/healthy" || fail "health check of a live process"
inside iometer-exporter healthcheck --url http://localhost:1/-/healthy 2>"$WORK/ill.log" \
  && fail "health check of nobody"
grep -q 'Connection refused' "$WORK/ill.log" || fail "$(cat "$WORK/ill.log")"
say ok "the health check tells a live process from none"
after=$(find "$root" -xdev -newer "$WORK/build.log" -type f 2>/dev/null | sort)
[ "$before" = "$after" ] || fail "files written while running: $(comm -13 <(echo "$before") <(echo "$after"))"
say ok "nothing was written to the root while it ran"

# 6. The signal of `docker stop`, to the process itself.
pid=$(family "$server" | tail -1)
[ "$(awk '/^Uid:/ {print $2}' "/proc/$pid/status")" = 65532 ] || fail "process $pid is not user 65532"
kill -TERM "$pid"
code=0
wait "$server" || code=$?
server=""
[ "$code" = 0 ] || { cat "$WORK/serve.log"; fail "exit code $code after SIGTERM"; }
say ok "SIGTERM ends it with exit code 0"

# 7. The root mounted read-only for real: chroot isolation has no such switch.
readonly_root="$WORK/readonly"
mkdir -p "$readonly_root"
mount --bind "$root" "$readonly_root"
mounted="$readonly_root"
mount -o remount,ro,bind "$readonly_root"
mkdir -p "$WORK/ns"
# shellcheck disable=SC2016 # expanded by the inner shell
unshare --mount sh -c '
  mount -t proc proc "$1/proc"
  mount --bind /dev "$1/dev"
  exec chroot --userspec=65532:65532 "$1" env -i PATH=/opt/iometer-exporter/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 sh -c "touch /tmp/x 2>/dev/null && exit 9; exec iometer-exporter demo --web.listen-address 127.0.0.1:$2"
' sh "$readonly_root" "$PORT" >"$WORK/readonly.log" 2>&1 &
server=$!
for _ in $(seq 100); do
  ask /-/ready >/dev/null 2>&1 && break
  kill -0 "$server" 2>/dev/null || { cat "$WORK/readonly.log"; fail "it does not start on a read-only root"; }
  sleep 0.2
done
ask /metrics | grep -q '^iometer_up{bridge=".*"} 1.0$' || fail "no bridge is up on a read-only root"
kill -TERM "$server"
code=0
wait "$server" || code=$?
server=""
[ "$code" = 0 ] || { cat "$WORK/readonly.log"; fail "exit code $code on a read-only root"; }
say ok "serves and stops on a root that is mounted read-only, /tmp too"
say ok "all"
