//! Why a job or a run stands where it stands: its events in plain sentences, and what comes next.

mod answer;
mod says;
mod summary;
