//! `tidegate policy fix`: what would end a finding, for people to read and to do.

mod json;
mod text;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::over;
use crate::app::error::ScanError;
use crate::app::fix::{FixSettings, Fixes, fix};
use crate::cli::units::{self, When};
use crate::cli::{Exit, say};
use crate::config::Config;
use crate::config::permit::Connection;
use crate::fix::change::Change;
use crate::fix::commands::aws;
use crate::fix::terraform::{Snippet, snippet};
use crate::net::protocol;

pub(super) const EXAMPLES: &str = "\
It prints what could be done and does none of it: nothing is asked of AWS, and no file is written.

Examples:
  tidegate policy fix 3f2a9c --lake lake --policy policy.toml
  tidegate policy fix 3f2a9c --lake s3://my-lake/prod --policy policy.toml --config security-groups.json network-acls.json network-interfaces.json subnets.json vpcs.json
  tidegate policy fix 3f2a9c 81d0 --lake lake --policy policy.toml --config state.json --as terraform --format json";

#[derive(Debug, Args)]
pub(in crate::cli) struct FixArgs {
    /// Ids of findings, or what they begin with if that is one finding's.
    #[arg(value_name = "FINDING_ID", required = true)]
    ids: Vec<String>,

    /// The lake, as `scan --lake` or `watch` wrote it: a folder or s3://bucket/prefix.
    #[arg(long, value_name = "LAKE")]
    lake: String,

    /// The policy file that the lake was judged by; without it nothing is proposed, and only told what lets a finding through.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// How AWS is configured: what describe calls print, or `terraform show -json`; any number of files.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    config: Vec<PathBuf>,

    /// Only findings and traffic from here on: RFC 3339, a date (00:00 UTC), or an age such as 24h or 7d; in whole hours.
    #[arg(long, value_name = "TIME", help_heading = "Selection", value_parser = units::when)]
    since: Option<When>,

    /// Only findings and traffic before this.
    #[arg(long, value_name = "TIME", help_heading = "Selection", value_parser = units::when)]
    until: Option<When>,

    /// How changes of the network are written; default: as the configuration is.
    #[arg(long = "as", value_name = "FORM", help_heading = "Report")]
    form: Option<Form>,

    /// The format of the answer.
    #[arg(
        long,
        value_name = "FORMAT",
        help_heading = "Report",
        default_value = "text"
    )]
    format: FixAs,
}

/// How changes of the network are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Calls of AWS's command line.
    Cli,
    /// What changes in the files of Terraform.
    Terraform,
}

/// The format of an answer about findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FixAs {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

pub(super) fn run(args: &FixArgs) -> Exit {
    let found = match settings(args).and_then(|settings| fix(&settings)) {
        Ok(found) => found,
        Err(error) => return say::failure(&error),
    };
    over::warn(&found.notes, &[]);
    let form = args.form.unwrap_or_else(|| form_of(&found));
    say::printed(&match args.format {
        FixAs::Text => text::text(&found, form, say::width()),
        FixAs::Json => json::json_text(&found, form),
    })
}

fn settings(args: &FixArgs) -> Result<FixSettings, ScanError> {
    let (since, until) = over::times(args.since, args.until)?;
    Ok(FixSettings {
        ids: args.ids.clone(),
        lake: args.lake.clone(),
        policy: args.policy.clone(),
        config: args.config.clone(),
        since,
        until,
    })
}

/// As the configuration is.
fn form_of(found: &Fixes) -> Form {
    let is_terraform = |config: &Config| !config.resources.is_empty();
    match found.config.as_ref().is_some_and(is_terraform) {
        true => Form::Terraform,
        false => Form::Cli,
    }
}

/// A change in words that can be used.
enum Written {
    /// A call.
    Call(String),
    /// What changes in a file.
    Snippet(Snippet),
}

/// Changes as they are to be made; what has no id yet only Terraform can name. `id` is the finding's.
fn written(changes: &[Change], config: &Config, form: Form, id: &str) -> Vec<Written> {
    let short: String = id.chars().take(8).collect();
    let name = format!("finding_{short}");
    let numbered = changes.iter().zip(1..);
    numbered
        .map(|(change, number)| {
            let call = match form {
                Form::Cli => aws(change, config),
                Form::Terraform => None,
            };
            match call {
                Some(call) => Written::Call(call),
                None => Written::Snippet(snippet(change, config, &name, number)),
            }
        })
        .collect()
}

/// `10.0.32.5 -> 10.0.64.20:443 tcp`, as the policy's own tests write it.
fn flow(connection: &Connection) -> String {
    let name = protocol::name(connection.protocol);
    let name = name.map_or_else(|| connection.protocol.to_string(), str::to_owned);
    let server = match protocol::has_ports(connection.protocol) {
        true => {
            let ip = connection.server.to_ip();
            std::net::SocketAddr::new(ip, connection.server_port).to_string()
        }
        false => connection.server.to_string(),
    };
    format!("{} -> {server} {name}", connection.client)
}
