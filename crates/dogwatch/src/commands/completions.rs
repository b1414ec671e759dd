//! `dogwatch completions`: a script that teaches a shell the command line.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::output::print_bytes;

/// Print a completion script.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dogwatch completions bash > ~/.local/share/bash-completion/completions/dogwatch
  dogwatch completions zsh > \"${fpath[1]}/_dogwatch\"
  dogwatch completions fish > ~/.config/fish/completions/dogwatch.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "dogwatch", &mut script);
    print_bytes(&script);
    Exit::Success
}
