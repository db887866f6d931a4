#!/usr/bin/env bash
# Brings what the integration tests use and a fresh machine may lack: Debian packages (as root, where apt is), and Apache
# Kafka's jars by Maven into CACHE/kafka-VERSION. What cannot be had is said; the tests that want it then skip, and
# make test counts them.
#
#   integration/deps.sh CACHE
set -uo pipefail
cache=${1:?usage: integration/deps.sh CACHE}
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's/^const KafkaVersion = "\(.*\)"/\1/p' "$here/launch/kafka.go")
jars=${OTTLA_KAFKA_LIBS:-$cache/kafka-$version}
mkdir -p "$cache" "$here/../.cache"

missing=()
want() { # want PROGRAM PACKAGE : the package is missing while the program is
  command -v "$1" >/dev/null || missing+=("$2")
}
want kcat kcat
want gcc gcc
want dockerd docker.io
want docker-compose docker-compose
want iptables iptables
want ip iproute2
want javac default-jdk-headless
[[ -d $jars ]] || want mvn maven
if ((${#missing[@]})); then
  if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    echo "deps: installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update >"$cache/apt.log" 2>&1
    apt-get -qq install -y --no-install-recommends "${missing[@]}" gcc libc6-dev >>"$cache/apt.log" 2>&1 ||
      { tail -3 "$cache/apt.log"; echo "deps: NOT INSTALLED: ${missing[*]} (log: $cache/apt.log)"; }
  else
    echo "deps: NOT INSTALLED, for lack of root or apt: ${missing[*]}"
  fi
fi

if [[ ! -d $jars ]]; then
  echo "deps: bringing Apache Kafka $version"
  part=$jars.part-$$
  if mvn -q -B -f "$here/kafkatools/pom.xml" -Dkafka.version="$version" dependency:copy-dependencies \
    -DoutputDirectory="$part" >"$cache/mvn.log" 2>&1; then
    mv "$part" "$jars"
  else
    tail -3 "$cache/mvn.log"
    echo "deps: NO Apache Kafka $version (log: $cache/mvn.log)"
  fi
fi
exit 0
