#!/bin/sh
# The container that recovery runs on a suspect node: prints the boot it ran in, then the diagnosis, and exits with
# dcgmi's own status. Called as `diagnose --level N`, or as `reset`.
set -u
printf 'boot-id: %s at %s\n' "$(cat /proc/sys/kernel/random/boot_id)" "$(awk '$1 == "btime" { print $2 }' /proc/stat)"
case "${1:-}" in
diagnose)
    nv-hostengine --service-account root >/dev/null 2>&1 || true
    exec dcgmi diag -r "${3:-1}" -j
    ;;
reset)
    exec nvidia-smi --gpu-reset
    ;;
*)
    echo "usage: diagnose --level N | reset" >&2
    exit 64
    ;;
esac
