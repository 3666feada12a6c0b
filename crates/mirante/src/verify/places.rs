//! Where everything is.

use stack::Part;

use crate::cli::Verify;

/// Base addresses.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) users: String,
    pub(super) tempo: String,
    pub(super) jaeger: String,
    pub(super) loki: String,
    pub(super) prometheus: String,
    pub(super) grafana: String,
    pub(super) pyrra: String,
    pub(super) alertmanager: String,
    pub(super) karma: String,
    pub(super) webhooks: String,
    pub(super) pyroscope: String,
}

impl Places {
    /// The ports that both engines publish, but where an address was given.
    pub(super) fn of(verify: &Verify) -> Self {
        // A port that does not exist once it is shifted is as good as one at which nobody answers.
        let port =
            |port: u16| format!("http://{}:{}", verify.host, port.saturating_add(verify.ports.port_offset));
        let place = |given: &Option<crate::address::BaseUrl>, part: Part| {
            given.as_ref().map_or_else(|| port(part.base_port()), ToString::to_string)
        };
        Self {
            users: place(&verify.users, Part::Users),
            tempo: place(&verify.tempo, Part::Tempo),
            jaeger: place(&verify.jaeger, Part::Jaeger),
            loki: place(&verify.loki, Part::Loki),
            prometheus: place(&verify.prometheus, Part::Prometheus),
            grafana: port(3000),
            pyrra: port(9099),
            alertmanager: port(9093),
            karma: port(8081),
            webhooks: port(8080),
            pyroscope: port(4040),
        }
    }
}
