#!/bin/sh
# Checks slugify.sh. Exits with 1 if a check fails.
cd "$(dirname "$0")/.." || exit 1

count=0
failed=0

check() { # NAME TITLE WANTED
    count=$((count + 1))
    got=$(sh slugify.sh "$2")
    if [ "$got" = "$3" ]; then
        echo "ok    $1: \"$2\" -> $got"
    else
        failed=$((failed + 1))
        echo "FAIL  $1: \"$2\" -> $got, but should be $3"
    fi
}

check "two words" "Hello World" hello-world
check "an ampersand" "Dogs & Watches" dogs-watches
check "a version" "Version 2.0" version-2-0

if [ "$failed" -gt 0 ]; then
    echo "$failed of $count checks failed"
    exit 1
fi
echo "all $count checks passed"
