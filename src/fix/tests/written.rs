//! Changes in words: every rule of a configuration, as calls and as Terraform.

use crate::config::{AclEntry, Config, Direction, Input, from_describe, from_terraform};
use crate::fix::change::Change;
use crate::fix::commands::aws;
use crate::fix::terraform::snippet;

macro_rules! file {
    ($name:literal) => {
        Input {
            name: $name,
            bytes: include_bytes!(concat!("../../../tests/import/", $name)),
        }
    };
}

fn removals(config: &Config) -> Vec<Change> {
    let rules = config.groups.iter().flat_map(|group| {
        group.rules.iter().map(|rule| Change::Revoke {
            group: group.id.clone(),
            rule: rule.clone(),
        })
    });
    rules.collect()
}

fn entry(config: &Config) -> Change {
    Change::Insert {
        acl: config.acls[0].id.clone(),
        entry: AclEntry {
            direction: Direction::Egress,
            number: 7,
            is_allow: false,
            cidr: "10.0.0.0/8".parse().expect("a prefix"),
            traffic: config.acls[0].entries[0].traffic,
        },
    }
}

#[test]
fn every_rule_of_describe_calls_has_its_call() {
    let files = [
        file!("describe/security-groups.json"),
        file!("describe/network-acls.json"),
        file!("describe/vpcs.json"),
        file!("describe/subnets.json"),
    ];
    let config = from_describe(&files).expect("a configuration");
    let removals = removals(&config);
    assert!(removals.len() > 10);
    for change in &removals {
        let call = aws(change, &config).expect("a call");
        let begins = call.starts_with("aws ec2 revoke-security-group-");
        assert!(begins && call.ends_with(" --region us-east-2"), "{call}");
        // Nothing comes from Terraform: its part says so, and shows the rule.
        let snippet = snippet(change, &config, "x", 1);
        assert!(snippet.what.contains("which is not in the configuration"));
        assert!(snippet.text.contains("protocol = "));
    }
    let call = aws(&entry(&config), &config).expect("a call");
    assert!(
        call.starts_with("aws ec2 create-network-acl-entry --network-acl-id acl-"),
        "{call}"
    );
}

#[test]
fn every_rule_of_terraform_leads_to_its_resource() {
    for file in [file!("terraform/state.json"), file!("terraform/plan.json")] {
        let config = from_terraform(&[file]).expect("a configuration");
        let removals = removals(&config);
        assert!(removals.len() > 2, "{}: {}", file.name, removals.len());
        for change in &removals {
            let snippet = snippet(change, &config, "x", 1);
            assert!(snippet.what.contains("aws_"), "{}", snippet.what);
            let Change::Revoke { group, rule } = change else {
                continue;
            };
            let back = Change::Authorize {
                group: group.clone(),
                rule: rule.clone(),
            };
            let added = crate::fix::terraform::snippet(&back, &config, "x", 2);
            assert!(added.what.starts_with("add"), "{}", added.what);
            assert_eq!(
                added.text.matches('{').count(),
                added.text.matches('}').count()
            );
            // What has no id yet has no call.
            let is_known = crate::config::is_known(group);
            assert!(is_known || aws(change, &config).is_none(), "{group}");
        }
    }
}
