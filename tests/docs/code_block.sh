#!/bin/sh
# code_block.sh DOCUMENT LANGUAGE: prints the first code block of that language.
exec awk -v fence="\`\`\`$2" '!inside && $0 == fence { inside = 1; next } inside && /^```/ { exit } inside' "$1"
