#!/usr/bin/env bash
# The studio's interfaces with nothing but curl. Start it first: ./artisan serve
#   bash examples/curl.sh [sketch] [folder for the pictures]
# It is elsewhere? STUDIO=http://host:port bash examples/curl.sh
set -euo pipefail

STUDIO=${STUDIO:-http://127.0.0.1:8000}
SKETCH=${1:-$(dirname "$0")/sketches/lobby.png}
OUT=${2:-out}
mkdir -p "$OUT"
call() { curl --silent --show-error --fail-with-body --no-buffer "$@"; }
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1; }

echo "== the studio's own stream: a sketch and a sentence"
call "$STUDIO/chat" --form "message=art deco hotel lobby at dusk" --form "sketch=@$SKETCH" --form style=auto |
  tee "$OUT/events.txt" | sed -n 's/^event: //p' | sort | uniq -c
thread=$(field thread_id < "$OUT/events.txt")
call "$STUDIO$(grep -A 1 '^event: result' "$OUT/events.txt" | field image_url)" --output "$OUT/chat.png"

echo "== the conversation so far"
call "$STUDIO/threads/$thread"
echo

echo "== it goes on, on the same sketch, and once more whole from its log"
run=$(call "$STUDIO/chat" --form "message=warmer light" --form "thread_id=$thread" | field run_id)
call "$STUDIO/threads/$thread/runs/$run/stream" | tail -n 3

echo "== as OpenAI has it: words alone, and a link back"
call "$STUDIO/v1/images/generations" --json \
  '{"prompt": "a red boat on a lake", "size": "1536x1024", "response_format": "url", "style": "none"}'
echo

echo "== as OpenAI has it: a sketch, as base64"
call "$STUDIO/v1/images/edits" --form "prompt=art deco hotel lobby" --form "image=@$SKETCH" |
  field b64_json | base64 --decode > "$OUT/edit.png"

echo "== as OpenAI has it: a conversation"
call "$STUDIO/v1/chat/completions" --json \
  '{"model": "starter", "style": "auto", "messages": [{"role": "user", "content": "a red boat on a lake"}]}'
echo
ls "$OUT"
