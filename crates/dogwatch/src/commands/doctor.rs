//! stub
use crate::{context::Context, error::CliError, exit::Exit};
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {}
pub(crate) fn run(_: &Context, _: &DoctorArgs) -> Result<Exit, CliError> {
    Ok(Exit::Success)
}
