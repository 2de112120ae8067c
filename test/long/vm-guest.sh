#!/bin/sh
# What the virtual camera does once it has booted: it makes the users, starts the unit as it is delivered, records its
# lens until the server has some of it, and tries the fences one by one. Everything it says goes to the second serial
# port, a line each: `what outcome`.
exec >/dev/ttyS1 2>&1

# QEMU's emulation has ended programs by faults that no real processor has: what ended so is started again, twice at most.
again() {
  for run in 1 2 3; do
    "$@"
    code=$?
    [ $code -eq 139 ] || return "$code"
    echo "fault in run $run: $*" >&2
  done
  return "$code"
}
start() {
  systemctl start "$1" && return
  code=$(systemctl show -P ExecMainStatus "$1")
  [ "$code" -eq 11 ] && return 139
  journalctl --no-pager -u "$1" | tail -30
  return 1
}

link=$(ls /sys/class/net | grep -v '^lo$' | head -1)
ip addr add 10.0.2.15/24 dev "$link"
ip link set "$link" up
ip route add default via 10.0.2.2
# No resolver: the server is an address, and QEMU's is what must not be reached.
: >/etc/resolv.conf
modprobe vivid node_types=0x1

camera=/var/lib/oriel-camera
systemd-sysusers
chown -R oriel-agent:oriel-capture $camera
chmod 710 $camera
oriel() { /opt/oriel/oriel camera firewall $camera --agent-user oriel-agent --capture-user oriel-capture "$@"; }
filled() { nft list table inet oriel >/dev/null 2>&1; }
systemctl daemon-reload
systemctl start oriel-camera-firewall.path
again start oriel-camera-firewall.service && echo 'firewall set'
start oriel-camera.service && echo 'unit started'

tries=0
until grep -Eq '"acknowledgedSeconds":([3-9]|[0-9]{2})' $camera/run/status.json 2>/dev/null; do
  sleep 2
  tries=$((tries + 1))
  [ $tries -lt 180 ] || { journalctl --no-pager -u oriel-camera | tail -30; break; }
done
for role in agent capture; do
  pid=$(pgrep -f "camera $role " | head -1)
  echo "$role user $(stat -c %U /proc/"$pid")"
  echo "$role filter $(sed -n 's/^Seccomp:\t//p' /proc/"$pid"/status)"
done
echo "capture network $(ip netns identify "$pid")$([ "$(readlink /proc/"$pid"/ns/net)" = "$(readlink /proc/1/ns/net)" ] && echo shared || echo own)"

# What the agent does when it cannot reach its server.
nft flush ruleset
setpriv --reuid=oriel-agent --regid=oriel-agent --clear-groups sh -c "echo >$camera/run/unreachable"
tries=0
until filled || [ $tries -ge 180 ]; do
  sleep 1
  tries=$((tries + 1))
done
filled && echo 'firewall filled again'

echo "unit swap $(cat /sys/fs/cgroup/system.slice/oriel-camera.service/memory.swap.max)"
systemctl stop oriel-camera.service
echo "unit ended $(systemctl show -P Result oriel-camera.service)"

# The server's unit, as delivered too.
install -d -o oriel-server -g oriel-server -m 700 /var/lib/oriel-server
again setpriv --reuid=oriel-server --regid=oriel-server --clear-groups \
  /opt/oriel/oriel server init /var/lib/oriel-server --host 10.0.2.15 >/dev/null
start oriel-server.service
tries=0
until [ -e /var/lib/oriel-server/run/server.json ] || [ $tries -ge 180 ]; do
  sleep 1
  tries=$((tries + 1))
done
echo "server $(systemctl is-active oriel-server.service) $(ss -Hltn | sed -n 's/.*:\(8443\) .*/\1/p' | sort -u)"
systemctl stop oriel-server.service

# Each fence alone, none of them, and the unit with all.
systemctl stop oriel-camera-firewall.path
nft flush ruleset
node=$(ls -d /opt/oriel/node_modules/node-linux-*/bin/node)
attempt() {
  name=$1 service=$2
  {
    printf '%s\n' "$service"
    echo "StandardOutput=truncate:/run/attempt"
  } >"/run/systemd/system/attempt-$name.service"
  systemctl daemon-reload
  again start "attempt-$name.service"
  sed "s/^/$name /" /run/attempt
}
alone="[Service]
Type=oneshot
ExecStart=$node /opt/attempts.ts /opt/server"
attempt none "$alone"
attempt bind "$alone
SocketBindDeny=any"
attempt calls "$alone
SystemCallFilter=~listen accept accept4 bind
SystemCallErrorNumber=EPERM"
attempt addresses "$alone
IPAddressDeny=any
IPAddressAllow=10.0.2.2"
attempt all "$(sed '/^Restart\|^KillMode/d; /^\[Install\]/,$d; s/^Type=.*/Type=oneshot/' \
  /etc/systemd/system/oriel-camera.service | sed "s|^ExecStart=.*|ExecStart=$node /opt/attempts.ts /opt/server|")
$(again oriel --unit)"

echo 'the end'
sync
poweroff -f
