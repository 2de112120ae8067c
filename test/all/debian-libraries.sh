#!/bin/sh
# usage: debian-libraries.sh ARCHITECTURE DIR
# Unpacks what a release is linked against, of Debian for another architecture, into DIR. Nothing is installed.
set -eu

architecture=$1
mkdir "$2"
cd "$2"
here=$(pwd)
mkdir -p apt/lists/partial apt/archives/partial
# Where this machine has its own packages from.
# shellcheck disable=SC2016 # apt-get fills it in.
site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | head -n 1)
[ -n "$site" ] || { echo 'debian-libraries.sh: apt-get has no Debian to take packages from' >&2; exit 1; }
echo "deb $site trixie main" >apt/sources.list
get() {
  apt-get -qq -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" -o APT::Sandbox::User=root \
    -o Dir::Etc::SourceList="$here/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Acquire::Languages=none \
    -o Dir::State::Lists="$here/apt/lists" -o Dir::State::Status=/dev/null -o Dir::Cache="$here/apt" "$@"
}
get update
get download libc6 libstdc++6 libgcc-s1 libatomic1
for package in *.deb; do dpkg-deb -x "$package" .; done
rm -r apt ./*.deb
ln -s usr/lib lib
