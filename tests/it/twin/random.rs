//! Random policies and random records over a small world, so that things collide: few addresses in several tiers, the
//! same prefix in two VPCs, a NAT, a transit gateway, the outside, few ports, few slots, two flow logs.

use proptest::prelude::*;

use super::policy::TwinPolicy;
use super::random_policy::policy;
use super::random_records::records;
use super::record::TwinObject;

/// What is judged: a policy, and the objects of a few slots around the judged ones.
#[derive(Clone)]
pub struct Scenario {
    pub policy: TwinPolicy,
    pub objects: Vec<TwinObject>,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "\n{}", self.policy.to_toml())?;
        for object in self.objects.iter().map(TwinObject::print) {
            writeln!(f, "{}\n{}", object.url, object.text)?;
        }
        Ok(())
    }
}

pub fn scenario() -> impl Strategy<Value = Scenario> {
    (policy(), records()).prop_map(|(policy, objects)| Scenario { policy, objects })
}
