# Debian's packages, where they may be installed: Debian, as root. To be sourced.
# shellcheck shell=bash

may_install() { [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null; }

apt_updated=no
install() { # packages…
  if [ "$apt_updated" = no ]; then
    apt-get update -qq
    apt_updated=yes
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# For packages that bring servers along as services, which nobody here wants: they are neither started by the
# installation nor when the machine starts.
install_without_services() { # service=package…
  local policy=/usr/sbin/policy-rc.d made=no pair packages=()
  # This is what invoke-rc.d asks; 101 is "not allowed". A policy that is there already is somebody's own.
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made=yes
  fi
  for pair in "$@"; do
    if [ -d /etc/systemd/system ] && [ ! -e "/etc/systemd/system/${pair%%=*}.service" ]; then
      ln -s /dev/null "/etc/systemd/system/${pair%%=*}.service"
    fi
    packages+=("${pair#*=}")
  done
  local status=0
  install "${packages[@]}" || status=$?
  for pair in "$@"; do
    if command -v update-rc.d >/dev/null; then update-rc.d "${pair%%=*}" disable >/dev/null 2>&1 || true; fi
  done
  if [ "$made" = yes ]; then rm -f "$policy"; fi
  return "$status"
}
