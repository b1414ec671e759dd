#!/bin/sh
# Turns a title into the last part of a web address: "Hello World" -> hello-world
LC_ALL=C
export LC_ALL

printf '%s\n' "$1" |
    tr 'A-Z' 'a-z' |
    tr -c 'a-z0-9\n' '-'
