//! Real commands under real shims, on every rung this machine offers and, where the tests run as root, also as an ordinary user.

mod case;
mod control;
mod ending;
mod floods;
mod hostile;
mod hostile_random;
mod ladder;
mod launching;
mod output;
mod redaction;
mod tree;
mod view;
