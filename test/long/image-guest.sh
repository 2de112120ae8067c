#!/bin/sh
# What looks at a camera from inside while it lives as its image says. It is given to the machine from outside, by its
# firmware's tables; the image has nothing of it. Everything it says goes to the second serial port.
exec >/dev/ttyS1 2>&1
camera=/var/lib/oriel-camera
slots=/opt/oriel/slots

echo 'looking'

# Whatever ever listens.
while :; do
  ss -Hlntu >>/run/listening
  sleep 1
done &

# waits SECONDS COMMAND...: until it succeeds.
waits() {
  left=$1
  shift
  until "$@"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || { echo "waited in vain: $*"; journalctl --no-pager -b | tail -n 60; break; }
    sleep 1
  done
}
active() { grep -qs "\"active\": \"$1\"" $slots/state.json && grep -q '"trial": null' $slots/state.json; }

has_acknowledged() { grep -Eqs '"acknowledgedSeconds":([3-9]|[0-9]{2})' $camera/run/status.json; }

waits 850 test -e $camera/client.pem
echo enrolled
waits 850 has_acknowledged
echo records
waits 850 active b
echo "updated $(/opt/oriel/launcher/oriel-launcher status $slots | head -n 1)"
touch /opt/mark 2>/dev/null || echo 'system read-only'
echo "boot $(echo /boot/*)"
nft list table inet oriel >/dev/null && echo 'filter filled'
echo "data MiB $(df -m /var | awk 'NR == 2 { print $2 }')"
systemctl --failed --no-legend --plain | sed 's/^/failed /'
awk '{ print "listens", $1, $5 }' /run/listening | sort -u
busybox nc -l -p 9 &
waits 60 grep -q ':9 ' /run/listening
awk '{ print "control listens", $1, $5 }' /run/listening | sort -u
echo 'the end'
