//! Logins and databases: doors at which many attempts mean something. What `lateral-fanout` and `credential-guessing` share.

use super::seen::Seen;
use crate::policy::Detecting;

/// Ports of logins and of databases.
pub(super) struct Logins {
    login_ports: Vec<u64>,
    database_ports: Vec<u64>,
}

impl Logins {
    pub fn of(set: &Detecting) -> Logins {
        Logins {
            login_ports: set.numbers("login_ports").to_vec(),
            database_ports: set.numbers("database_ports").to_vec(),
        }
    }

    /// Whether an edge counts: at a login, or at a database that the policy does not allow. Applications reach for all nodes
    /// of the databases that they may use, and may open a session for each question.
    pub fn count(&self, seen: &Seen<'_>) -> bool {
        let port = seen.edge.server_port.map(u64::from);
        let is_among = |ports: &[u64]| port.is_some_and(|port| ports.contains(&port));
        is_among(&self.login_ports) || (is_among(&self.database_ports) && !seen.is_allowed())
    }
}
