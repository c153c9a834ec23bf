//! What an unknown id will be of: a plan's `configuration` says what each expression refers to, and what that is, is known
//! by its address.
//!
//! `references` holds texts such as `aws_vpc.main.id`, `module.net.vpc_id` and `var.vpc_id`. A variable leads to the call
//! of the module that it belongs to, an output into the module that has it. Locals are not in the JSON: what goes through
//! one cannot be followed.

use serde_json::Value;

use super::Resource;

/// How many references are followed after each other: modules in modules.
const MAX_DEPTH: usize = 32;

/// How many references are followed for one value. Without a bound, a few modules that name each other twice would take
/// forever.
const MAX_STEPS: usize = 10_000;

/// What rules of security groups may name by its id.
const PEERS: [&str; 3] = [
    "aws_security_group",
    "aws_default_security_group",
    "aws_ec2_managed_prefix_list",
];

/// What has been found on the way, and how many steps are left.
struct Trail {
    found: Vec<String>,
    left: usize,
}

/// A module on the way to a resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Step {
    pub(super) name: String,
    /// As the address writes it, quotes included.
    pub(super) index: Option<String>,
}

/// The modules of an address: `module.net["a.b"].module.x` has two.
pub(super) fn steps(address: &str) -> Vec<Step> {
    let tokens = tokens(address);
    let mut steps = Vec::new();
    let mut rest = tokens.as_slice();
    while let [word, module, tail @ ..] = rest
        && word.name == "module"
    {
        steps.push(module.clone());
        rest = tail;
    }
    steps
}

/// The parts of an address or reference between its dots, each with the index behind it.
fn tokens(text: &str) -> Vec<Step> {
    let mut tokens: Vec<Step> = Vec::new();
    let (mut name, mut index) = (String::new(), None::<String>);
    let (mut is_inside, mut is_quoted) = (false, false);
    for c in text.chars() {
        match c {
            ']' if is_inside && !is_quoted => is_inside = false,
            c if is_inside => {
                is_quoted ^= c == '"';
                index.get_or_insert_default().push(c);
            }
            '[' => is_inside = true,
            '.' => tokens.push(Step {
                name: std::mem::take(&mut name),
                index: index.take(),
            }),
            c => name.push(c),
        }
    }
    tokens.push(Step { name, index });
    tokens
}

impl Trail {
    fn new() -> Trail {
        Trail {
            found: Vec::new(),
            left: MAX_STEPS,
        }
    }
}

/// A plan's configuration and the resources that it leads to.
pub(super) struct References<'r, 'v> {
    pub(super) configuration: Option<&'v Value>,
    pub(super) resources: &'r [Resource<'v>],
}

impl<'v> References<'_, 'v> {
    /// What an attribute of a resource refers to: ids, sorted.
    pub(super) fn of(&self, resource: &Resource<'v>, key: &str) -> Vec<String> {
        let mut trail = Trail::new();
        self.follow_attribute(resource, key, 0, &mut trail);
        sorted(trail.found)
    }

    /// The blocks of a resource's configuration with this name, such as `ingress`.
    pub(super) fn blocks(&self, resource: &Resource<'v>, name: &str) -> Vec<&'v Value> {
        let blocks = self
            .expressions(resource)
            .and_then(|expressions| expressions.get(name)?.as_array());
        blocks
            .map(|blocks| blocks.iter().collect())
            .unwrap_or_default()
    }

    /// What an expression of a resource refers to: ids, sorted.
    pub(super) fn of_expression(&self, resource: &Resource<'v>, expression: &Value) -> Vec<String> {
        let mut trail = Trail::new();
        let index = resource.index.as_deref();
        self.follow(&resource.module, expression, index, 0, &mut trail);
        sorted(trail.found)
    }

    fn follow_attribute(
        &self,
        resource: &Resource<'v>,
        key: &str,
        depth: usize,
        trail: &mut Trail,
    ) {
        let expression = self
            .expressions(resource)
            .and_then(|expressions| expressions.get(key));
        if let Some(expression) = expression {
            let index = resource.index.as_deref();
            self.follow(&resource.module, expression, index, depth, trail);
        }
    }

    fn expressions(&self, resource: &Resource<'v>) -> Option<&'v Value> {
        let module = self.module(&resource.module)?;
        let written = module.get("resources")?.as_array()?.iter();
        let is_it = |value: &&Value| {
            value.get("type").and_then(Value::as_str) == Some(resource.kind)
                && value.get("name").and_then(Value::as_str) == Some(resource.name)
        };
        let mut written = written.filter(is_it);
        written.next()?.get("expressions")
    }

    /// The configuration of a module.
    fn module(&self, path: &[Step]) -> Option<&'v Value> {
        let mut module = self.configuration?.get("root_module")?;
        for step in path {
            module = module.get("module_calls")?.get(&step.name)?.get("module")?;
        }
        Some(module)
    }

    fn follow(
        &self,
        module: &[Step],
        expression: &Value,
        index: Option<&str>,
        depth: usize,
        trail: &mut Trail,
    ) {
        if depth > MAX_DEPTH || trail.left == 0 {
            return;
        }
        trail.left -= 1;
        let Some(references) = expression.get("references").and_then(Value::as_array) else {
            return;
        };
        let texts: Vec<&str> = references.iter().filter_map(Value::as_str).collect();
        for text in &texts {
            // `aws_vpc.main` stands beside `aws_vpc.main.id`, which says more.
            let is_part = |other: &&str| {
                other
                    .strip_prefix(text)
                    .is_some_and(|rest| rest.starts_with(['.', '[']))
            };
            if !texts.iter().any(is_part) {
                self.follow_reference(module, &tokens(text), index, depth + 1, trail);
            }
        }
    }

    fn follow_reference(
        &self,
        module: &[Step],
        reference: &[Step],
        index: Option<&str>,
        depth: usize,
        trail: &mut Trail,
    ) {
        let [first, second, rest @ ..] = reference else {
            return;
        };
        match first.name.as_str() {
            "var" => self.follow_variable(module, &second.name, depth, trail),
            "module" => {
                if let Some(output) = rest.first() {
                    self.follow_output(module, second, &output.name, index, depth, trail);
                }
            }
            _ => self.follow_resource(module, first, second, rest, index, depth, trail),
        }
    }

    /// A variable is what the call of its module sets it to.
    fn follow_variable(&self, module: &[Step], name: &str, depth: usize, trail: &mut Trail) {
        let Some((called, caller)) = module.split_last() else {
            return;
        };
        let expression = self
            .module(caller)
            .and_then(|module| module.get("module_calls")?.get(&called.name))
            .and_then(|call| call.get("expressions")?.get(name));
        if let Some(expression) = expression {
            self.follow(caller, expression, called.index.as_deref(), depth, trail);
        }
    }

    fn follow_output(
        &self,
        module: &[Step],
        called: &Step,
        output: &str,
        index: Option<&str>,
        depth: usize,
        trail: &mut Trail,
    ) {
        let mut instances: Vec<&[Step]> = Vec::new();
        for resource in self.resources {
            let Some(path) = resource.module.get(..=module.len()) else {
                continue;
            };
            let (last, before) = (&path[module.len()], &path[..module.len()]);
            if before == module && last.name == called.name && !instances.contains(&path) {
                instances.push(path);
            }
        }
        let wanted = called.index.as_deref().or(index);
        let chosen = chosen(&instances, wanted, called.index.is_some(), |path| {
            path[module.len()].index.as_deref()
        });
        for path in chosen {
            let expression = self
                .module(path)
                .and_then(|module| module.get("outputs")?.get(output)?.get("expression"));
            if let Some(expression) = expression {
                self.follow(path, expression, None, depth, trail);
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of a reference and where it stands"
    )]
    fn follow_resource(
        &self,
        module: &[Step],
        kind: &Step,
        name: &Step,
        rest: &[Step],
        index: Option<&str>,
        depth: usize,
        trail: &mut Trail,
    ) {
        let instances: Vec<&Resource<'v>> = self
            .resources
            .iter()
            .filter(|resource| {
                resource.module == module
                    && resource.kind == kind.name
                    && resource.name == name.name
            })
            .collect();
        let wanted = name.index.as_deref().or(index);
        let chosen = chosen(&instances, wanted, name.index.is_some(), |resource| {
            resource.index.as_deref()
        });
        for resource in chosen {
            let attribute = rest.first().map_or("id", |step| step.name.as_str());
            let known = resource.values.value.get(attribute).and_then(Value::as_str);
            match (attribute, known) {
                (_, Some(known)) => trail.found.push(known.to_owned()),
                ("id" | "arn", None) => trail.found.push(resource.address.clone()),
                (attribute, None) if depth < MAX_DEPTH => {
                    self.follow_attribute(resource, attribute, depth + 1, trail);
                }
                _ => {}
            }
        }
    }
}

/// Whether an expression refers to nothing but security groups and prefix lists, by their ids, so that it is hardly a
/// condition: that would refer to what it depends on.
pub(super) fn is_plain(expression: &Value) -> bool {
    let references = expression.get("references").and_then(Value::as_array);
    let is_peer = |text: &str| match tokens(text).as_slice() {
        [kind, _] => PEERS.contains(&kind.name.as_str()),
        [kind, _, attribute] => PEERS.contains(&kind.name.as_str()) && attribute.name == "id",
        _ => false,
    };
    references.is_some_and(|all| all.iter().filter_map(Value::as_str).all(is_peer))
}

/// Of several instances the one with the wanted index; all of them where none has it, unless it stands in the reference.
fn chosen<'i, T>(
    instances: &'i [T],
    wanted: Option<&str>,
    is_written: bool,
    index: impl Fn(&'i T) -> Option<&'i str>,
) -> Vec<&'i T> {
    let with: Vec<&T> = instances
        .iter()
        .filter(|instance| wanted.is_some() && index(*instance) == wanted)
        .collect();
    if with.is_empty() && !is_written {
        return instances.iter().collect();
    }
    with
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_fall_into_modules_whatever_their_keys_hold() {
        fn check(address: &str, expected: &str) {
            let found: Vec<String> = steps(address)
                .into_iter()
                .map(|step| format!("{} {}", step.name, step.index.unwrap_or_default()))
                .collect();
            assert_eq!(found.join(", "), expected, "{address}");
        }
        check("", "");
        check("module.net", "net ");
        check("module.net[0].module.x", "net 0, x ");
        check(
            "module.net[\"a.b]\"].module.x[\"k\"]",
            "net \"a.b]\", x \"k\"",
        );
        check("module.net.aws_vpc.main", "net ");
        check("module.", " ");
        check("module", "");
    }
}
