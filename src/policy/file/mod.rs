//! The policy file as written: each key read, each leaf (prefix, ports, date, word) understood by itself, every value
//! with its place. What names refer to is the matter of [`super::meant`].

mod data;
mod leaf;
mod mute;
mod place;
mod rule;
mod test;

pub(super) use data::{Data, InventoryFile};
pub(super) use mute::Mute;
pub(super) use place::{Destination, Group, Network, Service, Subnet, Tier};
pub(super) use rule::{Effect, Require, Rule, RulePorts, Texts};
pub(super) use test::TestEnd;

use super::detector;
use super::problem::{Problems, Span};
use super::section::{Section, Word};

/// A policy file as written.
pub(super) struct File {
    pub(super) header: Header,
    pub(super) networks: Vec<Network>,
    pub(super) tiers: Vec<Tier>,
    pub(super) subnets: Vec<Subnet>,
    pub(super) groups: Vec<Group>,
    pub(super) destinations: Vec<Destination>,
    pub(super) services: Vec<Service>,
    pub(super) rules: Vec<Rule>,
    pub(super) requires: Vec<Require>,
    pub(super) transit: Vec<Word>,
    pub(super) data: Data,
    pub(super) tests: Vec<test::Test>,
    pub(super) mutes: Vec<Mute>,
    /// What is set of detectors.
    pub(super) detectors: Vec<detector::Written>,
}

/// `[policy]`.
#[derive(Default)]
pub(super) struct Header {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) effective: Option<i64>,
}

/// Reads the whole file.
pub(super) fn read(tree: &::toml::de::DeTable<'_>, problems: &mut Problems) -> File {
    let mut top = Section::new("", 0..0, tree);
    let file = File {
        header: header(&mut top, problems),
        networks: place::networks(&mut top, problems),
        tiers: place::tiers(&mut top, problems),
        subnets: place::subnets(&mut top, problems),
        groups: place::groups(&mut top, problems),
        destinations: place::destinations(&mut top, problems),
        services: place::services(&mut top, problems),
        rules: rule::rules(&mut top, problems),
        requires: rule::requires(&mut top, problems),
        transit: transit(&mut top, problems),
        data: data::data(&mut top, problems),
        tests: test::tests(&mut top, problems),
        mutes: mute::mutes(&mut top, problems),
        detectors: detector::written(&mut top, problems),
    };
    top.finish(problems);
    file
}

fn header(top: &mut Section<'_, '_>, problems: &mut Problems) -> Header {
    if !top.has("policy") {
        problems.add_with_hint(
            &top.span,
            "the file lacks [policy]",
            "begin it with [policy] and an id",
        );
        return Header::default();
    }
    let Some(mut section) = top.section("policy", problems) else {
        return Header::default();
    };
    let id = section.required_word("id", problems);
    if let Some(id) = &id {
        leaf::check_name(id, "policy id", problems);
    }
    let header = Header {
        id: id.map(|id| id.text).unwrap_or_default(),
        title: section
            .word("title", problems)
            .map(|title| title.text)
            .unwrap_or_default(),
        effective: section.instant("effective", problems),
    };
    section.word("owner", problems);
    section.finish(problems);
    header
}

fn transit(top: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Word> {
    let Some(mut section) = top.section("transit", problems) else {
        return Vec::new();
    };
    let nat = section.words("nat", problems);
    section.finish(problems);
    nat
}

/// Notes an end of a bounded list: things beyond `most` are not read.
fn bounded<T>(
    mut things: Vec<T>,
    most: usize,
    what: &str,
    span: impl Fn(&T) -> Span,
    problems: &mut Problems,
) -> Vec<T> {
    if let Some(first_beyond) = things.get(most) {
        problems.add(
            &span(first_beyond),
            format!("{} {what}: expected at most {most}", things.len()),
        );
        things.truncate(most);
    }
    things
}
