#!/usr/bin/env bash
# Makes .venv ready to run the studio, and does nothing at once when it already is.
#   PYTHON=/path/to/python3   the interpreter to build on (3.11 or newer)
#   TORCH=auto                the torch build for this machine's GPU; remembered until TORCH=cpu
set -euo pipefail
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
unset PYTHONPATH PYTHONHOME PYTHONSAFEPATH PIP_USER PIP_TARGET PIP_REQUIRE_VIRTUALENV

venv=.venv
py=$venv/bin/python
ready=$venv/.ready           # "<torch> <hash of what was installed>", written last
unfinished=$venv/.unfinished # "<torch>", there while a set-up is under way: found later, it was interrupted

say() { printf '%s\n' "$*" >&2; }
fail() { say "set-up: $*"; exit 1; }
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

look() { # what is there, and what should be
  have=$(cat "$ready" 2>/dev/null || cat "$unfinished" 2>/dev/null || true)
  had=${have%% *}
  torch=${TORCH:-${had:-cpu}}
  want="$torch $(cat setup.sh pyproject.toml constraints.txt | cksum)"
}
is_ready() { [ "$have" = "$want" ] && [ ! -e "$unfinished" ] && [ -x "$py" ]; }

find_python() {
  if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- python3 python3.13 python3.12 python3.11; fi
  for candidate; do
    if new_enough "$candidate"; then printf '%s\n' "$candidate"; return; fi
  done
  fail "Artisan Studio needs Python 3.11 or newer; '$1' is $("$1" --version 2>/dev/null || echo 'not there')." \
    "Install a newer one, or name it: PYTHON=/path/to/python3.12 make demo"
}

new_venv() {
  rm -rf "$venv"
  mkdir "$venv"
  printf '%s\n' "$torch" >"$unfinished"
  "$python" -m venv "$venv" >&2 ||
    fail "'$python -m venv' failed: on Debian and Ubuntu, install the package python3-venv and try again."
}

uv() { "$py" -m uv pip install --quiet --python "$py" -c constraints.txt "$@"; }

install_with_uv() {
  # uv does not read pip's settings; folders of local wheels count for both.
  links=${PIP_FIND_LINKS:-$("$py" -m pip config get global.find-links 2>/dev/null || true)}
  export UV_FIND_LINKS=${UV_FIND_LINKS:-$(printf '%s' "$links" | tr -s '[:space:]' ',')}
  "$py" -m pip install -qq --disable-pip-version-check -c constraints.txt uv &&
    case "$torch-$(uname -s)" in
      cpu-Linux) uv "torch==$version+cpu" 2>/dev/null || uv --torch-backend cpu "torch==$version" ;;
      auto-Linux) uv --torch-backend auto "torch==$version" ;;
      *) uv "torch==$version" ;; # elsewhere the ordinary build is the one without CUDA
    esac &&
    uv --compile-bytecode -r pyproject.toml --extra dev
}

install_with_pip() {
  build=$version
  if [ "$torch-$(uname -s)" = cpu-Linux ]; then build=$version+cpu; fi
  "$py" -m pip install -qq --disable-pip-version-check "torch==$build" &&
    "$py" -m pip install -qq --disable-pip-version-check -r constraints.txt
}

look
if is_ready; then exit 0; fi
case $torch in cpu | auto) ;; *) fail "TORCH is '$torch'; it can be cpu or auto." ;; esac
python=$(find_python)

# One set-up at a time: the lock lives on this script, dies with the last process that holds it, and leaves no file.
exec 9<setup.sh
"$python" - <<'LOCK'
import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("set-up: waiting for another one to finish", file=sys.stderr)
    fcntl.flock(9, fcntl.LOCK_EX)
LOCK
look
if is_ready; then exit 0; fi

SECONDS=0
if [ -e "$unfinished" ] || [ "${had:-$torch}" != "$torch" ] || ! new_enough "$py"; then
  say "set-up: installing into .venv (about 2 GB, once; a few minutes at most)"
  new_venv
else
  say "set-up: bringing .venv up to date"
fi
printf '%s\n' "$torch" >"$unfinished"
version=$(sed -n 's/^torch==//p' constraints.txt)
if ! install_with_uv; then
  say "set-up: uv could not do it; trying pip, which is slower"
  install_with_pip || fail "the packages could not be installed (see above). Run the same command to try again."
fi
printf '%s\n' "$want" >"$ready"
rm "$unfinished"
say "set-up: done in $SECONDS s"
