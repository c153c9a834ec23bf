//! What the network has to do with findings: the configuration is asked, and the lake's compliant traffic held against it.

use std::collections::BTreeSet;

use super::{Found, InNetwork, Judged, Seen};
use crate::app::error::ScanError;
use crate::app::over;
use crate::config::Config;
use crate::config::permit::Connection;
use crate::fix::check::{Check, Losses};
use crate::fix::close::{Closer, Closing};
use crate::fix::open::open;
use crate::judge::{EdgeRow, Kind, Verdict};
use crate::policy::PortsBetween;
use crate::sink::{Hour, Lake};

/// What is asked of the configuration for a finding.
enum Question<'c> {
    Told(InNetwork),
    Close(Closer<'c>),
}

/// What the network has to do with each finding.
pub(super) fn networks(
    lake: &Lake,
    hours: &BTreeSet<Hour>,
    (found, seen): (&[Found], &[Seen]),
    config: Option<&Config>,
    judged: Option<&Judged<'_>>,
) -> Result<Vec<InNetwork>, ScanError> {
    let in_sight = |found: &Found| match judged {
        Some(judged) => config.map(|config| judged.in_sight(config, found)),
        None => config.cloned(),
    };
    let configs: Vec<Option<Config>> = found.iter().map(in_sight).collect();
    let is_of = |found: &Found, edge: &EdgeRow<'_>| {
        judged.is_none_or(|judged| judged.sees(found, edge.network))
    };
    let mut questions = Vec::new();
    let mut betweens: Vec<Option<PortsBetween<'_>>> = Vec::new();
    for ((found, seen), config) in found.iter().zip(seen).zip(&configs) {
        let mut between = judged.and_then(|judged| judged.between(found));
        questions.push(question(found, seen, config.as_ref(), between.as_mut()));
        betweens.push(between);
    }
    let closes = |question: &Question<'_>| matches!(question, Question::Close(_));
    if questions.iter().any(closes) {
        each_compliant(lake, hours, &mut |edge| {
            let connection = connection(edge);
            let all = questions.iter_mut().zip(&mut betweens).zip(found);
            for ((question, between), found) in all {
                if let Question::Close(closer) = question
                    && is_of(found, edge)
                {
                    let example = (edge.source, edge.line);
                    closer.see(&connection, edge.connections, example, between.as_mut());
                }
            }
        })?;
    }
    let mut networks: Vec<InNetwork> = questions
        .into_iter()
        .zip(&mut betweens)
        .map(|(question, between)| match question {
            Question::Told(told) => told,
            Question::Close(closer) => InNetwork::Close {
                closing: closer.close(between.as_mut()),
                losses: Losses::default(),
            },
        })
        .collect();
    count_losses(lake, hours, (found, &configs), &is_of, &mut networks)?;
    Ok(networks)
}

fn question<'c>(
    found: &Found,
    seen: &Seen,
    config: Option<&'c Config>,
    between: Option<&mut PortsBetween<'_>>,
) -> Question<'c> {
    let finding = &found.finding;
    let is_about_none =
        finding.kind.is_detected() || matches!(finding.kind, Kind::Unassigned | Kind::Unproven);
    if is_about_none {
        return Question::Told(InNetwork::Nothing);
    }
    let let_through = seen.let_through();
    if finding.kind == Kind::DeniedAttempt && let_through.is_empty() {
        return Question::Told(InNetwork::Held);
    }
    let Some(config) = config else {
        return Question::Told(InNetwork::NoConfig);
    };
    if config.vpcs.is_empty() {
        return Question::Told(InNetwork::OtherNetwork);
    }
    if finding.kind == Kind::Overblocked {
        let opening = open(config, &seen.heaviest(), between);
        return Question::Told(InNetwork::Open(opening));
    }
    Question::Close(Closer::new(config, &let_through))
}

/// Counts which compliant connections of the lake the changes would end.
fn count_losses(
    lake: &Lake,
    hours: &BTreeSet<Hour>,
    (found, configs): (&[Found], &[Option<Config>]),
    is_of: &dyn Fn(&Found, &EdgeRow<'_>) -> bool,
    networks: &mut [InNetwork],
) -> Result<(), ScanError> {
    if networks.iter().all(|network| changed(network).is_none()) {
        return Ok(());
    }
    let afters: Vec<Option<Config>> = networks
        .iter()
        .zip(configs)
        .map(|(network, config)| Some(changed(network)?.applied(config.as_ref()?)))
        .collect();
    let mut checks: Vec<Option<Check<'_>>> = networks
        .iter()
        .zip(configs)
        .zip(&afters)
        .map(|((network, config), after)| {
            let changes = &changed(network)?.changes;
            Some(Check::new(config.as_ref()?, after.as_ref()?, changes))
        })
        .collect();
    each_compliant(lake, hours, &mut |edge| {
        for (check, found) in checks.iter_mut().zip(found) {
            if let Some(check) = check.as_mut().filter(|_| is_of(found, edge)) {
                check.see(
                    &connection(edge),
                    edge.connections,
                    (edge.source, edge.line),
                );
            }
        }
    })?;
    for (network, check) in networks.iter_mut().zip(checks) {
        if let (InNetwork::Close { losses, .. }, Some(check)) = (network, check) {
            *losses = check.finish();
        }
    }
    Ok(())
}

/// The changes that close a finding, if there are any.
fn changed(network: &InNetwork) -> Option<&Closing> {
    match network {
        InNetwork::Close { closing, .. } if !closing.changes.is_empty() => Some(closing),
        _ => None,
    }
}

fn each_compliant(
    lake: &Lake,
    hours: &BTreeSet<Hour>,
    each: &mut dyn FnMut(&EdgeRow<'_>),
) -> Result<(), ScanError> {
    for hour in hours {
        over::read(lake, *hour, &mut |edge| {
            if edge.verdict == Verdict::Compliant {
                each(edge);
            }
        })?;
    }
    Ok(())
}

/// An edge's connection.
pub(super) fn connection(edge: &EdgeRow<'_>) -> Connection {
    Connection {
        client: edge.client_addr,
        server: edge.server_addr,
        protocol: edge.protocol,
        server_port: edge.server_port.unwrap_or(0),
    }
}
