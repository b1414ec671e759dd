//! The commands that only look: what they say where there is nothing, what they say of real runs, and that they leave no trace.

mod evidence;
mod nothing;
mod prepare;
mod running;
mod tree;
