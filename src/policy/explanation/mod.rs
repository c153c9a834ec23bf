//! How a decision comes about: what is known of both ends, how every rule stands, which step decided, and why one rule
//! of several names itself.
//!
//! Nothing is decided here. The decision is the one of `decide`; how a rule's conditions stand is what `weigh` and `fit`
//! say of them, one by one. Words for people are made of this by `cli`.

mod ends;
mod names;
mod rules;

use super::weigh::Order;
use super::{Answer, Decision, Effect, Flow, NetworkId, Policy, Question, RuleId, words};
use crate::net::Addr;

pub use ends::{EndStory, Holding, SubnetStory};
pub use names::NamesStory;
pub use rules::{Part, RequireStanding, RequireState, RuleStanding, Standing, Unproven};

words! {
    /// The step of a decision, in their order.
    Step {
        /// A deny matches.
        Deny = "deny",
        /// An allow matches, and every require between the ends is satisfied or exempted.
        Allow = "allow",
        /// Allows match, and every one of them breaks a require.
        Require = "require",
        /// An allow could match but for evidence that is missing.
        Evidence = "evidence",
        /// No rule has said anything.
        Default = "default",
    }

    /// By what one of two rules that qualify comes before the other: the first of these in which they differ.
    Tie {
        /// A more specific name in `from`.
        From = "from",
        /// A more specific name in `to`.
        To = "to",
        /// Fewer (protocol, port) pairs.
        Ports = "ports",
        /// The id.
        Id = "id",
    }
}

/// How a decision came about.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What the policy says: the judge's own answer.
    pub decision: Decision,
    /// The step that decided.
    pub step: Step,
    /// The rules that qualified in that step, the one that names itself first; empty where the default decided.
    pub qualified: Vec<Candidate>,
    /// How every deny stands, then every allow; each by id.
    pub rules: Vec<RuleStanding>,
    /// How every require stands, by id.
    pub requires: Vec<RequireStanding>,
}

/// A rule that qualified in the step that decided.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The rule.
    pub rule: RuleId,
    /// The number of (protocol, port) pairs that it is written for; none of a require.
    pub num_pairs: Option<u32>,
    order: Order,
}

impl Explanation {
    /// By what the rule that names itself comes before the next; none if it alone qualified.
    pub fn tie(&self) -> Option<Tie> {
        let [first, second, ..] = self.qualified.as_slice() else {
            return None;
        };
        let (one, other) = (first.order, second.order);
        Some(if one.0 != other.0 {
            Tie::From
        } else if one.1 != other.1 {
            Tie::To
        } else if one.2 != other.2 {
            Tie::Ports
        } else {
            Tie::Id
        })
    }
}

/// How the decision on a flow came about.
#[derive(Clone, Debug)]
pub struct FlowExplanation<'p> {
    /// The network from which it is seen.
    pub network: NetworkId,
    /// All networks, by name, that hold one of its ends. None: the judge would not ask the policy at all.
    pub held_by: Vec<NetworkId>,
    /// What is known of the client.
    pub client: EndStory<'p>,
    /// What is known of the server.
    pub server: EndStory<'p>,
    /// By which names the server is known; none where nothing tells of names, or the server is inside.
    pub names: Option<NamesStory<'p>>,
    /// The decision and its reasons.
    pub explanation: Explanation,
}

impl Policy {
    /// What the policy says, and how that comes about.
    pub fn explain(&self, question: &Question<'_>) -> Explanation {
        let decision = self.decide(question);
        let step = match (decision.answer, self.rule(decision.rule).effect) {
            (Answer::Allow, _) => Step::Allow,
            (Answer::Unproven, _) => Step::Evidence,
            (Answer::Deny, Effect::Deny) => Step::Deny,
            (Answer::Deny, Effect::Default) => Step::Default,
            (Answer::Deny, _) => Step::Require,
        };
        let rules = self.rule_standings(question);
        Explanation {
            decision,
            step,
            qualified: self.qualified(&decision, step, &rules, question),
            requires: self.require_standings(&rules, question),
            rules,
        }
    }

    /// The decision on a flow by addresses alone, as [`Policy::decide_by_addr`] has it, and how that comes about; seen from
    /// `network`, or else from the first (by name) that holds one of its ends.
    pub fn explain_flow(&self, network: Option<NetworkId>, flow: &Flow) -> FlowExplanation<'_> {
        let ends = [flow.client, flow.server];
        let network = network.unwrap_or_else(|| self.network_holding(&ends));
        self.explain_question(network, ends, &self.question_of(network, flow))
    }

    /// The same of a question with all that records tell, asked from a network about client and server at these addresses.
    pub fn explain_question(
        &self,
        network: NetworkId,
        [client, server]: [Addr; 2],
        question: &Question<'_>,
    ) -> FlowExplanation<'_> {
        let explanation = self.explain(question);
        FlowExplanation {
            network,
            held_by: self.networks_holding(&[client, server]).collect(),
            client: self.end_story(client, &question.client, question.at),
            server: self.end_story(server, &question.server, question.at),
            names: self.names_story([client, server], question, explanation.decision.rule),
            explanation,
        }
    }
}
