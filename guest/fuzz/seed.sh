#!/bin/sh
# Makes the seed corpus from the golden vectors: seed.sh FRAMES.TSV FOLDER. One file for each short host frame.
# Octal escapes, since those are the ones every printf knows.
awk -F '\t' '
	function digit(c) { return index("0123456789abcdef", c) - 1 }
	$2 == "h2g" && length($5) <= 8000 {
		out = ""
		for (i = 1; i < length($5); i += 2)
			out = out sprintf("\\%03o", digit(substr($5, i, 1)) * 16 + digit(substr($5, i + 1, 1)))
		print $1, out
	}' "$1" | while read -r name bytes; do
	printf "$bytes" >"$2/$name"
done
