#!/bin/sh
# Installs the Chromium that tests the pages of cmd/nestsession, unless there is one.
# Debian and Ubuntu; elsewhere, set CHROMIUM to the path of any Chromium.
set -eu

for name in "${CHROMIUM:-chromium}" chromium chromium-browser google-chrome-stable google-chrome; do
	if command -v "$name" >/dev/null 2>&1; then
		exit 0
	fi
done

if ! command -v apt-get >/dev/null 2>&1; then
	echo "There is no Chromium, and no apt-get to install it with: install it, or set CHROMIUM to its path." >&2
	exit 1
fi

sudo=
if [ "$(id -u)" -ne 0 ]; then
	sudo=sudo
fi
export DEBIAN_FRONTEND=noninteractive
say=$(dirname "$0")/say
echo "setup: installing chromium"
"$say" "setup: apt-get update" $sudo apt-get update -qq
"$say" "setup: installing chromium" \
	sh -c "$sudo apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null"
