"""What chat front ends ask a model behind the person's back: a title, tags, what to say next.

They need words, not renders. A prompt counts as such a chore only where it carries two marks of a known front end's
template, so that nobody's picture is taken for one.
"""

import json
import re

TITLE_WORDS = 5
NO_TITLE = "A picture"
FOLLOW_UPS = ["The same at night", "Warmer colours", "The same in another style"]

# Open WebUI: "### Task:", the chat in a tag, and the key of the JSON object that it wants.
_TASK = "### Task:"
_CHAT = re.compile(r"<chat_history>(.*)</chat_history>", re.DOTALL)
_KEY = re.compile(r'{\s*"(title|tags|follow_ups|queries|prompt|text)":')
_TOOLS = ("Available Tools:", '"tool_calls"')
_EMOJI = ("Your task is to reflect the speaker's likely facial expression", "emoji")

# LibreChat: two ways to ask for a title.
_PLAIN_TITLE = ("5-word-or-less title for the conversation", "title case")
_TITLE_AND_LANGUAGE = ("Analyze this conversation and provide", "detected language")

_FIRST_WORDS = re.compile(r'^\W*user:\s*"?(.+)', re.IGNORECASE | re.MULTILINE)


def chore_answer(prompt: str) -> str | None:
    """Return what a front end wants to hear to `prompt`; None where a person speaks."""
    chat = _CHAT.search(prompt)
    key = _KEY.search(prompt)
    if prompt.lstrip().startswith(_TASK) and chat and key:
        return json.dumps({key[1]: _value(key[1], chat[1])}, ensure_ascii=False)
    if _has(prompt, _TOOLS):
        return json.dumps({"tool_calls": []})
    if _has(prompt, _EMOJI):
        return "🎨"
    if _has(prompt, _TITLE_AND_LANGUAGE):
        return json.dumps({"language": "English", "title": _title(prompt)}, ensure_ascii=False)
    if _has(prompt, _PLAIN_TITLE):
        return _title(prompt)
    return None


def _value(key: str, chat: str) -> str | list[str]:
    match key:
        case "title":
            return _title(chat)
        case "tags":
            return ["Art", "Images"]
        case "follow_ups":
            return FOLLOW_UPS
        case "queries":
            return []  # nothing to look up
        case "prompt":
            return next(reversed(_asked(chat)), NO_TITLE)
        case _:
            return ""  # autocompletion: no idea


def _title(chat: str) -> str:
    asked = _asked(chat)
    words = re.sub(r"[*_`#\"<>\[\]]", "", asked[0]).split() if asked else []
    return " ".join(words[:TITLE_WORDS])[:60] or NO_TITLE


def _asked(chat: str) -> list[str]:
    return [found.strip().strip('"') for found in _FIRST_WORDS.findall(chat)]


def _has(prompt: str, marks: tuple[str, str]) -> bool:
    return all(mark.casefold() in prompt.casefold() for mark in marks)
