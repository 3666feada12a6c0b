//! Targets that are records of names.

pub(super) mod message;
mod resolver;

use std::time::{Duration, Instant};

use promconfig::discovery::{DnsDiscovery, RecordType};
use tokio::task::JoinSet;

use super::{Environment, Group, Sink};
use message::Record;
use resolver::Resolver;

pub(super) async fn run(config: DnsDiscovery, sink: Sink, environment: Environment) {
    let every = config.refresh_interval.max(Duration::from_millis(100));
    let mut known: Vec<Option<Group>> = vec![None; config.names.len()];
    loop {
        let began = Instant::now();
        let resolver = match &environment.name_servers {
            Some(servers) => Ok(Resolver::of_servers(servers.clone())),
            None => Resolver::of_system(),
        };
        // Side by side: a server that does not answer for one name is not waited for with the others.
        let mut lookups = JoinSet::new();
        for (index, name) in config.names.iter().cloned().enumerate() {
            sink.figures.dns_lookups.inc();
            if let Some(place) = place_of(&name, &config, &environment) {
                known[index] = Some(group_at(&name, place));
                continue;
            }
            let (resolver, kind) = (resolver.clone(), config.record_type);
            lookups.spawn(async move {
                match resolver {
                    Ok(resolver) => (index, resolver.lookup(&name, kind).await),
                    Err(reason) => (index, Err(reason)),
                }
            });
        }
        for (index, answer) in lookups.join_all().await {
            match answer {
                Ok(records) => known[index] = Some(group(&config.names[index], &records, config.port)),
                // The name keeps what it had; the others are not to be missed for it.
                Err(reason) => {
                    sink.figures.dns_failures.inc();
                    sink.failed("dns", &reason);
                }
            }
        }
        sink.refreshed("dns", began, Ok(known.iter().flatten().cloned().collect()));
        tokio::time::sleep(every).await;
    }
}

/// Where a host with an address really is, if it is somewhere else than name servers say.
fn place_of(name: &str, config: &DnsDiscovery, environment: &Environment) -> Option<String> {
    let is_host = matches!(config.record_type, RecordType::A | RecordType::Aaaa);
    let name = name.trim_end_matches('.');
    is_host.then(|| environment.place_of(&format!("{name}:{}", config.port)))?
}

fn group_at(name: &str, address: String) -> Group {
    let labels = [("__address__", address), ("__meta_dns_name", name.to_owned())];
    let target = labels.map(|(name, value)| (name.to_owned(), value)).to_vec();
    Group { source: name.to_owned(), targets: vec![target], labels: Vec::new() }
}

fn group(name: &str, records: &[Record], port: i64) -> Group {
    let target = |record: &Record| {
        let join = |host: &str, port: i64| {
            // As Go joins them: what has colons stands in brackets.
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
        };
        let plain = |host: &str| host.trim_end_matches('.').to_owned();
        let (address, meta) = match record {
            Record::Address(ip) => (join(&ip.to_string(), port), Vec::new()),
            Record::Service { target, port } => {
                let meta = vec![
                    ("__meta_dns_srv_record_target", target.clone()),
                    ("__meta_dns_srv_record_port", port.to_string()),
                ];
                (join(&plain(target), i64::from(*port)), meta)
            }
            Record::Mail(host) => {
                (join(&plain(host), port), vec![("__meta_dns_mx_record_target", host.clone())])
            }
            Record::NameServer(host) => {
                (join(&plain(host), port), vec![("__meta_dns_ns_record_target", host.clone())])
            }
        };
        let mut labels =
            vec![("__address__".to_owned(), address), ("__meta_dns_name".to_owned(), name.to_owned())];
        labels.extend(meta.into_iter().map(|(name, value)| (name.to_owned(), value)));
        labels
    };
    Group { source: name.to_owned(), targets: records.iter().map(target).collect(), labels: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_become_addresses() {
        let service = Record::Service { target: "a.example.".to_owned(), port: 8001 };
        let records =
            [Record::Address("::1".parse().unwrap()), service, Record::Mail("m.example.".to_owned())];
        let group = group("x", &records, 9);
        let labels = |index: usize| -> Vec<(&str, &str)> {
            group.targets[index].iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
        };
        assert_eq!(labels(0), [("__address__", "[::1]:9"), ("__meta_dns_name", "x")]);
        assert_eq!(labels(1)[0].1, "a.example:8001");
        assert_eq!(
            labels(1)[2..],
            [("__meta_dns_srv_record_target", "a.example."), ("__meta_dns_srv_record_port", "8001")]
        );
        assert_eq!(labels(2)[0].1, "m.example:9");
    }
}
