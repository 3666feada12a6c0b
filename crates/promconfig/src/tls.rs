//! `tls_config`.

use std::path::Path;

use yaml::{Context, Fields, Node, Outcome};

use crate::print::Block;
use crate::read::{join_directory, secret};
use crate::secret::Secret;
use yaml::Output;

/// How a server is trusted, and how the client names itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsConfig {
    /// Certificates of authorities, as text.
    pub ca: String,
    /// The client's certificate, as text.
    pub cert: String,
    /// The client's key, as text.
    pub key: Secret,
    /// File with certificates of authorities.
    pub ca_file: String,
    /// File with the client's certificate.
    pub cert_file: String,
    /// File with the client's key.
    pub key_file: String,
    /// Names of secrets in a secret manager: of authorities, certificate and key.
    pub refs: [String; 3],
    /// Name that the server's certificate has to have.
    pub server_name: String,
    /// Do not look at the server's certificate.
    pub insecure_skip_verify: bool,
    /// Least version: `TLS12`.
    pub min_version: String,
    /// Highest version.
    pub max_version: String,
}

const REFS: [&str; 3] = ["ca_ref", "cert_ref", "key_ref"];

impl TlsConfig {
    pub(crate) fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "config.plain")?;
        let mut tls = Self::default();
        fields.set("ca", &mut tls.ca, context, yaml::string)?;
        fields.set("cert", &mut tls.cert, context, yaml::string)?;
        fields.set("key", &mut tls.key, context, secret)?;
        fields.set("ca_file", &mut tls.ca_file, context, yaml::string)?;
        fields.set("cert_file", &mut tls.cert_file, context, yaml::string)?;
        fields.set("key_file", &mut tls.key_file, context, yaml::string)?;
        for (name, value) in REFS.into_iter().zip(&mut tls.refs) {
            fields.set(name, value, context, yaml::string)?;
        }
        fields.set("server_name", &mut tls.server_name, context, yaml::string)?;
        fields.set("insecure_skip_verify", &mut tls.insecure_skip_verify, context, yaml::boolean)?;
        fields.set("min_version", &mut tls.min_version, context, version)?;
        fields.set("max_version", &mut tls.max_version, context, version)?;
        fields.close(context)?;
        tls.check().map_err(|message| node.refuse(message))?;
        Ok(tls)
    }

    fn check(&self) -> Result<(), &'static str> {
        let given = |values: [bool; 3]| values.into_iter().filter(|given| *given).count();
        let [ca_ref, cert_ref, key_ref] = &self.refs;
        let cert = given([!self.cert.is_empty(), !self.cert_file.is_empty(), !cert_ref.is_empty()]);
        let key = given([!self.key.is_empty(), !self.key_file.is_empty(), !key_ref.is_empty()]);
        if given([!self.ca.is_empty(), !self.ca_file.is_empty(), !ca_ref.is_empty()]) > 1 {
            return Err("at most one of ca, ca_file & ca_ref must be configured");
        }
        if cert > 1 {
            return Err("at most one of cert, cert_file & cert_ref must be configured");
        }
        if key > 1 {
            return Err("at most one of key and key_file must be configured");
        }
        if cert > key {
            return Err(
                "exactly one of key or key_file must be configured when a client certificate is configured",
            );
        }
        if key > cert {
            return Err(
                "exactly one of cert or cert_file must be configured when a client key is configured",
            );
        }
        Ok(())
    }

    pub(crate) fn print(&self) -> Block {
        let mut block = Block::default();
        if *self == Self::default() {
            return block;
        }
        block.text("ca", &self.ca).text("cert", &self.cert).secret("key", &self.key);
        block
            .text("ca_file", &self.ca_file)
            .text("cert_file", &self.cert_file)
            .text("key_file", &self.key_file);
        for (name, value) in REFS.into_iter().zip(&self.refs) {
            block.text(name, value);
        }
        block.text("server_name", &self.server_name);
        block.always("insecure_skip_verify", Output::raw(self.insecure_skip_verify));
        block.text("min_version", &self.min_version).text("max_version", &self.max_version);
        block
    }

    pub(crate) fn set_directory(&mut self, directory: &Path) {
        for file in [&mut self.ca_file, &mut self.cert_file, &mut self.key_file] {
            *file = join_directory(directory, file);
        }
    }
}

fn version(node: &Node, context: &mut Context) -> Outcome<String> {
    let text = yaml::string(node, context)?;
    match text.as_str() {
        "TLS10" | "TLS11" | "TLS12" | "TLS13" => Ok(text),
        _ => Err(node.refuse(format!("unknown TLS version: {text}"))),
    }
}
