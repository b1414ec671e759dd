//! The control plane over HTTP, typed.
