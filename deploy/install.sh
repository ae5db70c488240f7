#!/bin/sh
# Puts Windmill on one machine under systemd, or brings it up to date, or takes it away again.
set -eu
umask 022

usage() {
    cat <<'END'
usage: deploy/install.sh [--dry-run] [--prefix DIR] [--farm] [NAME.env ...]
       deploy/install.sh --uninstall [--purge] [--dry-run] [--prefix DIR]

Copies each NAME.env to /etc/windmill, unless it is there, and the code with its virtual environment to /opt/windmill.
For each file in /etc/windmill a worker is enabled where it sets SERVICE_NAME, a worker of jobs where it sets STEPS, and
the post-processors that it names in NODE_POSTPROCESSORS=bbox_merger,consensus,image_index,picture_hashes,spatial_enrichment (or all).
With NODE_RUN=yes all of it runs in one process instead. Run it again after an update or an edit.

  --dry-run    print what would be done
  --prefix     put everything under this directory, touch neither users nor systemd; needs no root
  --farm       the stand-ins for the services too, and what they need: for development only
  --uninstall  stop and remove all but /etc/windmill
  --purge      with --uninstall: /etc/windmill and the user, too

PYTHON names the Python to use (python3).
END
}

fail() {
    echo "install.sh: $*" >&2
    exit 2
}

run() {
    if [ "$dry" = yes ]; then
        echo "would run: $*"
    else
        "$@"
    fi
}

control() {
    [ -n "$prefix" ] || run systemctl "$@"
}

value() { # FILE NAME
    sed -n "s/^$2=//p" "$1" | tail -n 1 | tr -d "\"' \r"
}

is_postprocessor() {
    case $1 in
        all | bbox_merger | consensus | image_index | picture_hashes | spatial_enrichment) true ;;
        *) false ;;
    esac
}

check_env_file() {
    [ -f "$1" ] || fail "$1: no such file"
    name=$(basename "$1" .env)
    case $name.env in
        "$(basename "$1")") ;;
        *) fail "$1: must end in .env" ;;
    esac
    case $name in
        "" | *[!A-Za-z0-9_-]*) fail "$1: the name may hold letters, digits, - and _" ;;
    esac
    is_postprocessor "$name" && fail "$1: is the name of a post-processor"
    [ "$name" != run ] || fail "$1: windmill-run.service has a link of that name"
    case $(value "$1" NODE_RUN) in
        "" | yes | no) ;;
        *) fail "$1: NODE_RUN: must be yes or no" ;;
    esac
    for one in $(value "$1" NODE_POSTPROCESSORS | tr ',' ' '); do
        is_postprocessor "$one" || fail "$1: NODE_POSTPROCESSORS: there is no post-processor $one"
    done
}

check_python() {
    "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' ||
        fail "$python: must be Python 3.11 or newer with venv (Debian: apt install python3-venv)"
}

make_user() {
    [ -z "$prefix" ] || return 0
    id windmill >/dev/null 2>&1 ||
        run useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin windmill
}

check_user() {
    [ -z "$prefix" ] && [ "$dry" = no ] || return 0
    found=$("$python" -c 'import sys; print(sys.executable)')
    runuser -u windmill -- "$found" -c '' ||
        fail "the user windmill may not run $found; name another Python: PYTHON=/usr/bin/python3 $0 ..."
}

copy_code() {
    run mkdir -p "$code"
    for part in $parts; do
        [ -e "$source/$part" ] || continue
        run rm -rf "${code:?}/$part"
        run cp -R "$source/$part" "$code/$part"
    done
}

make_venv() {
    if cmp -s "$source/$lock" "$code/.venv/installed.lock"; then
        return 0
    fi
    run "$python" -m venv --clear "$code/.venv"
    run "$code/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$source/$lock"
    run cp "$source/$lock" "$code/.venv/installed.lock"
}

compile_code() {
    # The services see the file system read-only and could not keep what they compile.
    run "$code/.venv/bin/python" -m compileall -q "$code" -x '/\.venv/'
}

copy_env_file() {
    target=$etc/$(basename "$1")
    if [ ! -f "$target" ]; then
        run install -m 600 "$1" "$target"
    elif ! cmp -s "$1" "$target"; then
        echo "kept $target, which differs from $1"
    fi
}

copy_units() {
    run mkdir -p "$units/windmill.target.wants" "$units/multi-user.target.wants"
    for unit in windmill.target $programs $farm_unit; do
        run install -m 644 "$source/deploy/systemd/$unit" "$units/$unit"
    done
    run ln -sfn ../windmill.target "$units/multi-user.target.wants/windmill.target"
}

wanted() { # INSTANCE TEMPLATE
    run ln -sfn "../$2" "$units/windmill.target.wants/$1"
}

disable_all() {
    for link in "$units"/windmill.target.wants/windmill-*; do
        [ ! -L "$link" ] || run rm -f "$link"
    done
    for link in "$etc"/*.env; do
        [ ! -L "$link" ] || run rm -f "$link"
    done
}

enable_node() { # the env file of a node
    name=$(basename "$1" .env)
    if [ "$(value "$1" NODE_RUN)" = yes ]; then # the gateway is a part of it
        run ln -sfn "$name.env" "$etc/run.env"
        wanted windmill-run.service windmill-run.service
        return 0
    fi
    [ -z "$(value "$1" GATEWAY_PORT)" ] || wanted "windmill-gateway@$name.service" windmill-gateway@.service
    [ -z "$(value "$1" SERVICE_NAME)" ] || wanted "windmill-worker@$name.service" windmill-worker@.service
    [ -z "$(value "$1" STEPS)" ] || wanted "windmill-jobs@$name.service" windmill-jobs@.service
    for one in $(value "$1" NODE_POSTPROCESSORS | tr ',' ' '); do
        run ln -sfn "$name.env" "$etc/$one.env"
        wanted "windmill-postprocessor@$one.service" windmill-postprocessor@.service
    done
}

enable_nodes() {
    for file in "$@"; do
        # What was edited in /etc/windmill goes before what came with the code.
        [ -f "$etc/$(basename "$file")" ] || enable_node "$file"
    done
    for file in "$etc"/*.env; do
        { [ -L "$file" ] || [ ! -f "$file" ]; } || enable_node "$file"
    done
    [ -z "$farm_unit" ] || wanted "$farm_unit" "$farm_unit"
}

stop_all() {
    [ ! -e "$units/windmill.target" ] || control stop windmill.target "windmill-*.service"
}

install_all() {
    [ "$source" != "$code" ] || fail "run it from a checkout that is not $code"
    for file in "$@" "$etc"/*.env; do
        { [ -L "$file" ] || [ "$file" = "$etc/*.env" ]; } || check_env_file "$file"
    done
    check_python
    make_user
    check_user
    stop_all
    copy_code
    make_venv
    compile_code
    run mkdir -p "$etc"
    for file in "$@"; do
        copy_env_file "$file"
    done
    copy_units
    disable_all
    enable_nodes "$@"
    control daemon-reload
    control start --no-block windmill.target
    echo "next: put the passwords into $etc/NAME.env, systemctl restart windmill.target, and see whether all is well:"
    echo "  cd $code && ENV_FILE=$etc/NAME.env .venv/bin/python -m windmill doctor"
}

uninstall_all() {
    stop_all
    disable_all
    run rm -f "$units/multi-user.target.wants/windmill.target"
    for unit in windmill.target $programs windmill-farm.service; do
        run rm -f "$units/$unit"
    done
    [ ! -d "$units/windmill.target.wants" ] || run rmdir "$units/windmill.target.wants"
    control daemon-reload
    run rm -rf "${code:?}"
    [ "$purge" = yes ] || return 0
    run rm -rf "${etc:?}"
    [ -n "$prefix" ] || ! id windmill >/dev/null 2>&1 || run userdel windmill
}

dry=no uninstall=no purge=no prefix='' farm_unit=''
lock=requirements-gateway.lock
programs="windmill-run.service windmill-worker@.service windmill-jobs@.service windmill-gateway@.service"
programs="$programs windmill-postprocessor@.service"
parts="windmill producers workers postprocessors gateway sql presets docs README.md service_config.json calibration.json"
while [ $# -gt 0 ]; do
    case $1 in
        --dry-run) dry=yes ;;
        --uninstall) uninstall=yes ;;
        --purge) purge=yes ;;
        --farm) farm_unit=windmill-farm.service lock=requirements-farm.lock parts="$parts dev" ;;
        --prefix)
            [ $# -gt 1 ] || fail "--prefix needs a directory"
            shift
            prefix=${1%/}
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        -*) fail "unknown option $1; see --help" ;;
        *) break ;;
    esac
    shift
done
source=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
code=$prefix/opt/windmill etc=$prefix/etc/windmill units=$prefix/etc/systemd/system
[ -n "$prefix" ] || [ "$dry" = yes ] || [ "$(id -u)" = 0 ] || fail "must be root, or use --prefix or --dry-run"
if [ "$uninstall" = yes ]; then
    [ $# = 0 ] || fail "--uninstall takes no file"
    uninstall_all
else
    [ "$purge" = no ] || fail "--purge belongs to --uninstall"
    install_all "$@"
fi
