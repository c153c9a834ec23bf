//! `tidegate policy import`: a draft of a policy from how AWS is configured.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::app::config_files::{ConfigFileError, ReadConfig, load};
use crate::cli::report::words;
use crate::cli::{Exit, say};
use crate::config::{from_describe, from_terraform};
use crate::draft::{DraftError, Settings, draft};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ImportCommand {
    /// From `terraform show -json`, of a state or of a plan.
    Terraform(ImportArgs),
    /// From what `aws ec2 describe-…` prints; docs/import.md lists the calls.
    Aws(ImportArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    /// JSON files.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The tag of subnets that names their tier; upper and lower case are the same.
    #[arg(long, value_name = "KEY", default_value = "tier")]
    tier_tag: String,
    /// A tag of subnets that becomes a label; may be given several times.
    #[arg(long = "label-tag", value_name = "KEY")]
    label_tags: Vec<String>,
    /// Write the draft into this file, which must not exist, instead of to standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(command: &ImportCommand) -> Exit {
    match command {
        ImportCommand::Terraform(args) => import(args, from_terraform, "Terraform's JSON"),
        ImportCommand::Aws(args) => import(args, from_describe, "describe calls"),
    }
}

fn import(args: &ImportArgs, read_config: ReadConfig, what: &str) -> Exit {
    let names: Vec<String> = args
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let config = match load(&args.files, read_config) {
        Ok(config) => config,
        Err(errors) => return refused(&errors),
    };
    let settings = Settings {
        origin: format!("{what} ({})", names.join(", ")),
        tier_tag: args.tier_tag.clone(),
        label_tags: args.label_tags.clone(),
    };
    let draft = match draft(&config, &settings) {
        Ok(draft) => draft,
        Err(error) => return failure(&error),
    };
    let exit = match &args.output {
        None => say::printed(&draft.text),
        Some(path) => written(path, &draft.text),
    };
    if exit == Exit::Done && !draft.left_out.is_empty() {
        say::warning(&format!(
            "{} could not be carried over, or only in part: listed at the end of the draft",
            words::counted(draft.left_out.len() as u64, "thing")
        ));
    }
    exit
}

/// Names every file that tells nothing.
pub(super) fn refused(errors: &[ConfigFileError]) -> Exit {
    for error in errors {
        say::error(&error.to_string(), error.hint());
    }
    Exit::Usage
}

fn failure(error: &DraftError) -> Exit {
    match error {
        DraftError::NoNetwork => {
            say::error(
                &error.to_string(),
                Some(
                    "give describe-vpcs and describe-subnets, or a state with aws_vpc or aws_subnet",
                ),
            );
            Exit::Usage
        }
        DraftError::Invalid(_) => {
            say::error(
                &error.to_string(),
                Some("please report this: a draft should be a policy"),
            );
            Exit::Failed
        }
    }
}

/// Writes a file that is new: a policy that people have worked on is not written over.
fn written(path: &Path, text: &str) -> Exit {
    let result = File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    let Err(error) = result else {
        return Exit::Done;
    };
    let shown = path.display();
    if error.kind() == io::ErrorKind::AlreadyExists {
        say::error(
            &format!("`{shown}` exists, and a draft writes over nothing"),
            Some("give another file, or compare the two by hand"),
        );
        return Exit::Usage;
    }
    say::error(&format!("cannot write `{shown}`: {error}"), None);
    Exit::Failed
}
