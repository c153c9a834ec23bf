//! The JSON that `terraform show -json` prints, of a state or of a plan.
//!
//! Source: HashiCorp, *JSON Output Format*: `values` is what a state holds, `planned_values` what there will be after a
//! plan is applied, `resource_changes` says which of that is not known yet, `configuration` what the files refer to.

mod references;
mod resources;

use serde_json::Value;

use super::gather::Gathered;
use super::json::{Node, Wrong, excerpt};
use super::{Config, ConfigError, Input};
use references::{Step, steps};

/// A resource that the file holds.
pub(super) struct Resource<'v> {
    /// `module.net.aws_subnet.app["a"]`.
    address: String,
    /// The modules that it stands in.
    module: Vec<Step>,
    /// `aws_subnet`.
    kind: &'v str,
    /// `app`.
    name: &'v str,
    /// `"a"` of `for_each`, `0` of `count`, as the address writes them.
    index: Option<String>,
    /// Whether it is only read, not made.
    is_data: bool,
    values: Node<'v>,
    /// Which values are not known yet.
    unknown: Option<&'v Value>,
}

/// Reads states and plans, any number of them.
///
/// # Errors
/// What is wrong, one error for each file.
pub fn from_terraform(inputs: &[Input<'_>]) -> Result<Config, Vec<ConfigError>> {
    Gathered::from_files(inputs, |root, _, gathered| file(root, gathered))
}

/// Whether a file is one of Terraform's, or means to be.
pub(super) fn is_one(root: &Node<'_>) -> bool {
    let keys = ["format_version", "terraform_version"];
    matches!(root.value, Value::Object(object) if keys.iter().any(|key| object.contains_key(*key)))
}

/// Reads a state or a plan.
pub(super) fn file(root: &Node<'_>, gathered: &mut Gathered) -> Result<(), Wrong> {
    check_format(root)?;
    let mut all = Vec::new();
    let planned = root.get("planned_values")?;
    match (&planned, root.get("values")?) {
        (Some(planned), _) => {
            walk_root(planned, &mut all)?;
            // What the plan has read of things that are not its own.
            if let Some(prior) = root.get("prior_state")?
                && let Some(values) = prior.get("values")?
            {
                let mut before = Vec::new();
                walk_root(&values, &mut before)?;
                all.extend(before.into_iter().filter(|resource| resource.is_data));
            }
        }
        (None, Some(values)) => walk_root(&values, &mut all)?,
        (None, None) => {
            return Err(root.wrong("expected `values` or `planned_values`: it holds no resources"));
        }
    }
    note_unknown(root, &mut all)?;
    let configuration = root.get("configuration")?.map(|node| node.value);
    resources::read(&all, configuration, gathered)
}

fn check_format(root: &Node<'_>) -> Result<(), Wrong> {
    const HINT: &str = "make it with `terraform show -json` of a state or of a plan";
    let Some(version) = root.text("format_version")? else {
        let wrong = root.wrong("expected `format_version`, which is not there");
        let is_raw = root.get("terraform_version")?.is_some() && root.get("lineage")?.is_some();
        return Err(if is_raw {
            root.wrong("this is Terraform's own state file, whose form is internal to it")
                .hint(HINT)
        } else {
            wrong.hint(HINT)
        });
    };
    if !version.starts_with("0.") && !version.starts_with("1.") {
        return Err(root.wrong(format!(
            "expected `format_version` 0 or 1, got `{}`",
            excerpt(version)
        )));
    }
    Ok(())
}

fn walk_root<'v>(values: &Node<'v>, all: &mut Vec<Resource<'v>>) -> Result<(), Wrong> {
    match values.get("root_module")? {
        Some(module) => walk(&module, all),
        None => Ok(()),
    }
}

/// A module and those below it. The parser has bounded how deep they are.
fn walk<'v>(module: &Node<'v>, all: &mut Vec<Resource<'v>>) -> Result<(), Wrong> {
    let within = steps(module.text("address")?.unwrap_or_default());
    for node in module.list("resources")? {
        let Some(values) = node.get("values")? else {
            continue;
        };
        all.push(Resource {
            address: node.required("address")?.to_owned(),
            module: within.clone(),
            kind: node.required("type")?,
            name: node.required("name")?,
            index: node.get("index")?.map(|index| index.value.to_string()),
            is_data: node.text("mode")? == Some("data"),
            values,
            unknown: None,
        });
    }
    for child in module.list("child_modules")? {
        walk(&child, all)?;
    }
    Ok(())
}

/// Notes which values a plan does not know yet.
fn note_unknown<'v>(root: &Node<'v>, all: &mut [Resource<'v>]) -> Result<(), Wrong> {
    let mut by_address = std::collections::HashMap::new();
    for node in root.list("resource_changes")? {
        if let Some(change) = node.get("change")?
            && let Some(unknown) = change.get("after_unknown")?
        {
            by_address.insert(node.required("address")?, unknown.value);
        }
    }
    for resource in all {
        resource.unknown = by_address.get(resource.address.as_str()).copied();
    }
    Ok(())
}

impl Resource<'_> {
    /// Its id: AWS's, or its address while that is not known.
    fn id(&self) -> Result<String, Wrong> {
        Ok(self
            .values
            .text("id")?
            .map_or_else(|| self.address.clone(), str::to_owned))
    }

    /// Whether the value of a key, or of an element of it, is not known yet.
    fn is_unknown(&self, key: &str) -> bool {
        self.unknown
            .and_then(|unknown| unknown.get(key))
            .is_some_and(is_any_unknown)
    }
}

/// Whether anything of a value is marked as unknown.
fn is_any_unknown(mark: &Value) -> bool {
    match mark {
        Value::Bool(is) => *is,
        Value::Array(marks) => marks.iter().any(is_any_unknown),
        Value::Object(marks) => marks.values().any(is_any_unknown),
        _ => false,
    }
}
