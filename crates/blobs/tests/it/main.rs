//! Payloads and output as files, against the contracts of all stores and against what only files can suffer.

mod blob_files;
mod contract;
mod model;
mod output_files;
mod place;
