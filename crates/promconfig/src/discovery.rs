//! Where targets come from: `static_configs` and the `*_sd_configs`.

use model::literal::Quoted;
use std::path::Path;
use std::time::Duration;

use yaml::{Context, Fields, Node, Outcome, Output};

use crate::http_client::HttpClientConfig;
use crate::place::Place;
use crate::print::Block;
use crate::read::{duration, join_directory};
use crate::target_group::TargetGroup;
use crate::url::Url;

/// One way in which a job finds its targets.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Discovery {
    /// They stand in the configuration. All `static_configs` of a job are one.
    Static(Vec<TargetGroup>),
    /// They stand in files.
    File(FileDiscovery),
    /// They stand in the answer of a server.
    Http(Box<HttpDiscovery>),
    /// They are records of names.
    Dns(DnsDiscovery),
    /// They come from a platform's interface, which the embedded engine does not speak.
    Foreign(ForeignDiscovery),
}

/// `file_sd_configs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDiscovery {
    /// Paths; the last part may have a `*`.
    pub files: Vec<String>,
    /// How often the files are read again, besides when they change.
    pub refresh_interval: Duration,
}

/// `http_sd_configs`.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpDiscovery {
    /// Where groups are asked for.
    pub url: Url,
    /// How.
    pub client: HttpClientConfig,
    /// How often.
    pub refresh_interval: Duration,
}

/// A type of DNS record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordType {
    /// Hosts with ports.
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Hosts that take mail.
    Mx,
    /// Name servers.
    Ns,
}

/// `dns_sd_configs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsDiscovery {
    /// The names that are asked for.
    pub names: Vec<String>,
    /// Which records.
    pub record_type: RecordType,
    /// The type as it was written.
    pub written_type: String,
    /// The port of targets; SRV records have their own.
    pub port: i64,
    /// How often.
    pub refresh_interval: Duration,
    /// Where the block stands in the file.
    pub position: Place,
}

/// The block of a platform. It is checked for its shape only.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignDiscovery {
    /// The key: `kubernetes_sd_configs`.
    pub key: &'static str,
    /// Where the block stands in the file.
    pub position: Place,
}

/// Platforms whose blocks are known, in the order in which they are read.
const FOREIGN: [&str; 29] = [
    "aws_sd_configs",
    "azure_sd_configs",
    "consul_sd_configs",
    "digitalocean_sd_configs",
    "docker_sd_configs",
    "dockerswarm_sd_configs",
    "ec2_sd_configs",
    "eureka_sd_configs",
    "gce_sd_configs",
    "hetzner_sd_configs",
    "ionos_sd_configs",
    "kubernetes_sd_configs",
    "kuma_sd_configs",
    "lightsail_sd_configs",
    "linode_sd_configs",
    "marathon_sd_configs",
    "nerve_sd_configs",
    "nomad_sd_configs",
    "oci_sd_configs",
    "openstack_sd_configs",
    "outscale_sd_configs",
    "ovhcloud_sd_configs",
    "puppetdb_sd_configs",
    "scaleway_sd_configs",
    "serverset_sd_configs",
    "stackit_sd_configs",
    "triton_sd_configs",
    "uyuni_sd_configs",
    "vultr_sd_configs",
];

impl Discovery {
    /// Takes every discovery out of a job's fields.
    pub(crate) fn take(fields: &mut Fields<'_>, context: &mut Context) -> Outcome<Vec<Self>> {
        let mut found = Vec::new();
        take_list(fields, context, "dns_sd_configs", "[]*dns.SDConfig", DnsDiscovery::read, |dns| {
            found.push(Self::Dns(dns));
        })?;
        take_list(fields, context, "file_sd_configs", "[]*file.SDConfig", FileDiscovery::read, |file| {
            found.push(Self::File(file));
        })?;
        take_list(fields, context, "http_sd_configs", "[]*http.SDConfig", HttpDiscovery::read, |http| {
            found.push(Self::Http(Box::new(http)));
        })?;
        for key in FOREIGN {
            let read = |node: &Node, context: &mut Context| {
                if !matches!(node.value, yaml::Value::Mapping(_)) {
                    return Err(
                        context.complain(node.position, "cannot unmarshal into a service discovery block")
                    );
                }
                yaml::skip(node, context)?;
                Ok(ForeignDiscovery { key, position: node.position.into() })
            };
            take_list(fields, context, key, "[]*SDConfig", read, |foreign| {
                found.push(Self::Foreign(foreign));
            })?;
        }
        let mut groups = Vec::new();
        take_list(fields, context, "static_configs", "[]*targetgroup.Group", TargetGroup::read, |group| {
            groups.push(group);
        })?;
        if !groups.is_empty() {
            found.push(Self::Static(groups));
        }
        Ok(found)
    }

    /// Addresses that stand in the configuration are hosts with ports; a URL is a mistake that is often made.
    pub(crate) fn check_static_targets(discoveries: &[Self]) -> Result<(), String> {
        for discovery in discoveries {
            let Self::Static(groups) = discovery else { continue };
            if let Some(target) =
                groups.iter().flat_map(|group| &group.targets).find(|target| target.contains('/'))
            {
                return Err(format!("{} is not a valid hostname", Quoted(target)));
            }
        }
        Ok(())
    }

    /// Prints them as fields of their job.
    pub(crate) fn print(discoveries: &[Self]) -> Block {
        let mut block = Block::default();
        let of =
            |pick: &dyn Fn(&Self) -> Option<Output>| discoveries.iter().filter_map(pick).collect::<Vec<_>>();
        let dns = of(&|discovery| if let Self::Dns(dns) = discovery { Some(dns.print()) } else { None });
        let file = of(&|discovery| if let Self::File(file) = discovery { Some(file.print()) } else { None });
        let http = of(&|discovery| if let Self::Http(http) = discovery { Some(http.print()) } else { None });
        block.list("dns_sd_configs", &dns, Clone::clone);
        block.list("file_sd_configs", &file, Clone::clone);
        block.list("http_sd_configs", &http, Clone::clone);
        for discovery in discoveries {
            if let Self::Static(groups) = discovery {
                block.list("static_configs", groups, TargetGroup::print);
            }
        }
        block
    }

    pub(crate) fn set_directory(&mut self, directory: &Path) {
        match self {
            Self::File(file) => {
                file.files.iter_mut().for_each(|path| *path = join_directory(directory, path));
            }
            Self::Http(http) => http.client.set_directory(directory),
            Self::Static(_) | Self::Dns(_) | Self::Foreign(_) => {}
        }
    }
}

/// Reads a list of blocks and refuses one that is empty.
fn take_list<T>(
    fields: &mut Fields<'_>,
    context: &mut Context,
    key: &'static str,
    type_name: &'static str,
    mut read: impl FnMut(&Node, &mut Context) -> Outcome<T>,
    mut found: impl FnMut(T),
) -> Outcome<()> {
    let blocks = fields.optional(key, context, |node, context| {
        yaml::list(node, context, type_name, |node, context| {
            let empty = matches!(&node.value, yaml::Value::Mapping(entries) if entries.is_empty());
            let own_check = matches!(key, "file_sd_configs" | "http_sd_configs" | "dns_sd_configs");
            if node.is_null() || (empty && !own_check) {
                let message = format!("empty or null section in {key}");
                return Err(context.refuse_later(node.position, message));
            }
            read(node, context)
        })
    })?;
    blocks.into_iter().flatten().for_each(&mut found);
    Ok(())
}

impl FileDiscovery {
    fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "file.plain")?;
        let mut file = Self { files: Vec::new(), refresh_interval: Duration::from_secs(300) };
        fields.set("files", &mut file.files, context, yaml::strings)?;
        fields.set("refresh_interval", &mut file.refresh_interval, context, duration)?;
        fields.close(context)?;
        if file.files.is_empty() {
            return Err(node.refuse("file service discovery config must contain at least one path name"));
        }
        if let Some(path) = file.files.iter().find(|path| !is_group_path(path)) {
            let message = format!("path name {} is not valid for file discovery", Quoted(path));
            return Err(node.refuse(message));
        }
        Ok(file)
    }

    fn print(&self) -> Output {
        let mut block = Block::default();
        block.always("files", Output::texts(&self.files)).duration("refresh_interval", self.refresh_interval);
        block.into()
    }
}

/// A path to a JSON or YAML file, whose last part may have one `*`.
fn is_group_path(path: &str) -> bool {
    let Some((stem, "json" | "yml" | "yaml" | "JSON" | "YML" | "YAML")) = path.rsplit_once('.') else {
        return false;
    };
    stem.split_once('*').is_none_or(|(_, after)| !after.contains('/'))
}

impl HttpDiscovery {
    fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "http.plain")?;
        let mut client = HttpClientConfig::default();
        client.take(&mut fields, context)?;
        let mut refresh_interval = Duration::from_secs(60);
        let mut text = String::new();
        fields.set("refresh_interval", &mut refresh_interval, context, duration)?;
        fields.set("url", &mut text, context, yaml::string)?;
        let position = fields.position("url");
        fields.close(context)?;
        let refuse = |message: String| yaml::Failure::Fatal { message, position: Some(position) };
        if text.is_empty() {
            return Err(refuse("URL is missing".to_owned()));
        }
        let url = Url::parse(&text).map_err(refuse)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("URL scheme must be 'http' or 'https'".to_owned()));
        }
        if url.host().is_empty() {
            return Err(refuse("host is missing in URL".to_owned()));
        }
        client.finish().map_err(|message| node.refuse(message))?;
        Ok(Self { url, client, refresh_interval })
    }

    fn print(&self) -> Output {
        let mut block = Block::default();
        block.inline(self.client.print()).duration("refresh_interval", self.refresh_interval);
        block.always("url", Output::text(self.url.as_str()));
        block.into()
    }
}

impl DnsDiscovery {
    fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "dns.plain")?;
        let mut names = Vec::new();
        let mut refresh_interval = Duration::from_secs(30);
        let mut written_type = "SRV".to_owned();
        let mut port = 0;
        fields.set("names", &mut names, context, yaml::strings)?;
        fields.set("refresh_interval", &mut refresh_interval, context, duration)?;
        fields.set("type", &mut written_type, context, yaml::string)?;
        fields.set("port", &mut port, context, |node, context| yaml::integer(node, context, "int"))?;
        fields.close(context)?;
        if names.is_empty() {
            return Err(node.refuse("DNS-SD config must contain at least one SRV record name"));
        }
        let record_type = match written_type.to_ascii_uppercase().as_str() {
            "SRV" => RecordType::Srv,
            "A" => RecordType::A,
            "AAAA" => RecordType::Aaaa,
            "MX" => RecordType::Mx,
            "NS" => RecordType::Ns,
            _ => return Err(node.refuse(format!("invalid DNS-SD records type {written_type}"))),
        };
        if record_type != RecordType::Srv && port == 0 {
            let message = "a port is required in DNS-SD configs for all record types except SRV";
            return Err(node.refuse(message));
        }
        Ok(Self { names, record_type, written_type, port, refresh_interval, position: node.position.into() })
    }

    fn print(&self) -> Output {
        let mut block = Block::default();
        block.always("names", Output::texts(&self.names)).duration("refresh_interval", self.refresh_interval);
        block.always("type", Output::text(&self.written_type)).always("port", Output::raw(self.port));
        block.into()
    }
}

#[cfg(test)]
mod tests {
    use super::is_group_path;

    #[test]
    fn paths_of_groups_end_as_their_format() {
        for path in ["a.json", "dir/*.yml", "dir/x*.yaml", "/abs/a.JSON", "a.b.yml"] {
            assert!(is_group_path(path), "{path}");
        }
        for path in ["a", "a.txt", "*/a.yml", "a.yml/"] {
            assert!(!is_group_path(path), "{path}");
        }
    }
}
