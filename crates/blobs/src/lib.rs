//! Payloads by digest and output by offset, as files.
