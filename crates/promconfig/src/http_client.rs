//! How something is fetched over HTTP: authentication, headers, proxies, TLS. These keys stand among those of the block
//! that they belong to.

use model::literal::Quoted;
use std::path::Path;

use yaml::{Context, Fields, Node, Outcome, Output};

use crate::print::Block;
use crate::read::{join_directory, secret, sorted_map, url};
use crate::secret::Secret;
use crate::tls::TlsConfig;
use crate::url::Url;

/// How a client reaches its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpClientConfig {
    /// User and password.
    pub basic_auth: Option<BasicAuth>,
    /// The `Authorization` header. `bearer_token` and `bearer_token_file` are turned into it.
    pub authorization: Option<Authorization>,
    /// A token is fetched first.
    pub oauth2: Option<Box<OAuth2>>,
    /// For `https`.
    pub tls: TlsConfig,
    /// Go where a 3xx answer points to.
    pub follow_redirects: bool,
    /// Offer HTTP/2 over TLS.
    pub enable_http2: bool,
    /// Proxies.
    pub proxy: Proxy,
    /// More headers, by name.
    pub headers: Vec<(String, Header)>,
    bearer_token: Secret,
    bearer_token_file: String,
}

impl Default for HttpClientConfig {
    fn default() -> Self {
        Self {
            basic_auth: None,
            authorization: None,
            oauth2: None,
            tls: TlsConfig::default(),
            follow_redirects: true,
            enable_http2: true,
            proxy: Proxy::default(),
            headers: Vec::new(),
            bearer_token: Secret::default(),
            bearer_token_file: String::new(),
        }
    }
}

/// User and password, each as text, in a file, or in a secret manager.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BasicAuth {
    /// The user.
    pub username: String,
    /// File with the user.
    pub username_file: String,
    /// Name of a secret with the user.
    pub username_ref: String,
    /// The password.
    pub password: Secret,
    /// File with the password.
    pub password_file: String,
    /// Name of a secret with the password.
    pub password_ref: String,
}

/// The `Authorization` header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Authorization {
    /// What stands before the credentials: `Bearer`.
    pub kind: String,
    /// The credentials.
    pub credentials: Secret,
    /// File with the credentials.
    pub credentials_file: String,
    /// Name of a secret with the credentials.
    pub credentials_ref: String,
}

/// OAuth 2.0 with the client's credentials. Texts by the names of their keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OAuth2 {
    /// Texts that are not secret, by key.
    pub texts: Vec<(&'static str, String)>,
    /// The client's secret.
    pub client_secret: Secret,
    /// The client's key.
    pub client_certificate_key: Secret,
    /// What the token is asked for.
    pub scopes: Vec<String>,
    /// Further parameters of the request for a token.
    pub endpoint_params: Vec<(String, String)>,
    /// Claims of the token that the client makes, as they were written.
    pub claims: Vec<String>,
    /// For the server of tokens.
    pub tls: TlsConfig,
    /// For the server of tokens.
    pub proxy: Proxy,
}

/// Proxies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proxy {
    /// The proxy.
    pub url: Option<Url>,
    /// Addresses that are reached without it, separated by commas.
    pub no_proxy: String,
    /// Take `HTTP_PROXY` and its like.
    pub from_environment: bool,
    /// Headers for `CONNECT`.
    pub connect_header: Vec<(String, Vec<Secret>)>,
}

/// The values of a header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// As text.
    pub values: Vec<String>,
    /// As text that is not shown.
    pub secrets: Vec<Secret>,
    /// In files.
    pub files: Vec<String>,
}

/// Headers that the client sets itself.
const RESERVED: [&str; 18] = [
    "Authorization",
    "Host",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "User-Agent",
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Www-Authenticate",
    "Accept-Encoding",
    "X-Prometheus-Remote-Write-Version",
    "X-Prometheus-Remote-Read-Version",
    "X-Prometheus-Scrape-Timeout-Seconds",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-Content-Sha256",
];

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

impl HttpClientConfig {
    /// Takes the keys of a client out of a block's fields. To be followed by [`Self::finish`].
    pub(crate) fn take(&mut self, fields: &mut Fields<'_>, context: &mut Context) -> Outcome<()> {
        self.basic_auth = fields.optional("basic_auth", context, BasicAuth::read)?;
        self.authorization = fields.optional("authorization", context, Authorization::read)?;
        self.oauth2 = fields.optional("oauth2", context, OAuth2::read)?.map(Box::new);
        fields.set("bearer_token", &mut self.bearer_token, context, secret)?;
        fields.set("bearer_token_file", &mut self.bearer_token_file, context, yaml::string)?;
        fields.set("tls_config", &mut self.tls, context, TlsConfig::read)?;
        fields.set("follow_redirects", &mut self.follow_redirects, context, yaml::boolean)?;
        fields.set("enable_http2", &mut self.enable_http2, context, yaml::boolean)?;
        self.proxy.take(fields, context)?;
        fields.set("http_headers", &mut self.headers, context, |node, context| {
            let mut headers = yaml::map(node, context, "config.Headers", Header::read)?;
            headers.sort_by(|left, right| left.0.cmp(&right.0));
            Ok(headers)
        })
    }

    /// Checks what keys say together, and turns the old ones into the new.
    pub(crate) fn finish(&mut self) -> Result<(), String> {
        let token = !self.bearer_token.is_empty();
        let token_file = !self.bearer_token_file.is_empty();
        if token && token_file {
            return Err("at most one of bearer_token & bearer_token_file must be configured".to_owned());
        }
        if (self.basic_auth.is_some() || self.oauth2.is_some()) && (token || token_file) {
            return Err(
                "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured"
                    .to_owned(),
            );
        }
        if let Some(basic) = &self.basic_auth {
            basic.check()?;
        }
        if let Some(authorization) = &mut self.authorization {
            if token || token_file {
                return Err(
                    "authorization is not compatible with bearer_token & bearer_token_file".to_owned()
                );
            }
            authorization.finish()?;
            if self.basic_auth.is_some() || self.oauth2.is_some() {
                return Err("at most one of basic_auth, oauth2 & authorization must be configured".to_owned());
            }
        } else if token || token_file {
            self.authorization = Some(Authorization {
                kind: "Bearer".to_owned(),
                credentials: std::mem::take(&mut self.bearer_token),
                credentials_file: std::mem::take(&mut self.bearer_token_file),
                credentials_ref: String::new(),
            });
        }
        if let Some(oauth2) = &self.oauth2 {
            if self.basic_auth.is_some() {
                return Err("at most one of basic_auth, oauth2 & authorization must be configured".to_owned());
            }
            oauth2.check()?;
        }
        self.proxy.check()?;
        match self
            .headers
            .iter()
            .map(|(name, _)| canonical(name))
            .find(|name| RESERVED.contains(&name.as_str()))
        {
            Some(name) => Err(format!("setting header {} is not allowed", Quoted(&name))),
            None => Ok(()),
        }
    }

    pub(crate) fn print(&self) -> Block {
        let mut block = Block::default();
        if let Some(basic) = &self.basic_auth {
            block.always("basic_auth", basic.print().into());
        }
        if let Some(authorization) = &self.authorization {
            block.always("authorization", authorization.print().into());
        }
        if let Some(oauth2) = &self.oauth2 {
            block.always("oauth2", oauth2.print().into());
        }
        block.block("tls_config", self.tls.print());
        block.always("follow_redirects", Output::raw(self.follow_redirects));
        block.always("enable_http2", Output::raw(self.enable_http2));
        block.inline(self.proxy.print());
        if !self.headers.is_empty() {
            let headers = self.headers.iter().map(|(name, header)| (name.clone(), header.print().into()));
            block.always("http_headers", Output::Map(headers.collect()));
        }
        block
    }

    pub(crate) fn set_directory(&mut self, directory: &Path) {
        let join = |path: &mut String| *path = join_directory(directory, path);
        self.tls.set_directory(directory);
        if let Some(basic) = &mut self.basic_auth {
            join(&mut basic.username_file);
            join(&mut basic.password_file);
        }
        if let Some(authorization) = &mut self.authorization {
            join(&mut authorization.credentials_file);
        }
        if let Some(oauth2) = &mut self.oauth2 {
            for (name, value) in &mut oauth2.texts {
                if *name == "client_secret_file" {
                    join(value);
                }
            }
            oauth2.tls.set_directory(directory);
        }
        for (_, header) in &mut self.headers {
            header.files.iter_mut().for_each(join);
        }
    }
}

/// How many of some values are given.
fn given<const N: usize>(values: [bool; N]) -> usize {
    values.into_iter().filter(|given| *given).count()
}

/// A header's name as Go writes it: `x-amz-date` becomes `X-Amz-Date`.
fn canonical(name: &str) -> String {
    let mut upper = true;
    name.chars()
        .map(|character| {
            let changed = if upper { character.to_ascii_uppercase() } else { character.to_ascii_lowercase() };
            upper = character == '-';
            changed
        })
        .collect()
}

impl BasicAuth {
    fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "config.plain")?;
        let mut basic = Self::default();
        fields.set("username", &mut basic.username, context, yaml::string)?;
        fields.set("username_file", &mut basic.username_file, context, yaml::string)?;
        fields.set("username_ref", &mut basic.username_ref, context, yaml::string)?;
        fields.set("password", &mut basic.password, context, secret)?;
        fields.set("password_file", &mut basic.password_file, context, yaml::string)?;
        fields.set("password_ref", &mut basic.password_ref, context, yaml::string)?;
        fields.close(context)?;
        Ok(basic)
    }

    fn check(&self) -> Result<(), &'static str> {
        if given([!self.username.is_empty(), !self.username_file.is_empty(), !self.username_ref.is_empty()])
            > 1
        {
            return Err(
                "at most one of basic_auth username, username_file & username_ref must be configured",
            );
        }
        if given([!self.password.is_empty(), !self.password_file.is_empty(), !self.password_ref.is_empty()])
            > 1
        {
            return Err(
                "at most one of basic_auth password, password_file & password_ref must be configured",
            );
        }
        Ok(())
    }

    fn print(&self) -> Block {
        let mut block = Block::default();
        block.text("username", &self.username);
        block.text("username_file", &self.username_file).text("username_ref", &self.username_ref);
        block.secret("password", &self.password);
        block.text("password_file", &self.password_file).text("password_ref", &self.password_ref);
        block
    }
}

impl Authorization {
    fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "config.Authorization")?;
        let mut authorization = Self::default();
        fields.set("type", &mut authorization.kind, context, yaml::string)?;
        fields.set("credentials", &mut authorization.credentials, context, secret)?;
        fields.set("credentials_file", &mut authorization.credentials_file, context, yaml::string)?;
        fields.set("credentials_ref", &mut authorization.credentials_ref, context, yaml::string)?;
        fields.close(context)?;
        Ok(authorization)
    }

    fn finish(&mut self) -> Result<(), &'static str> {
        let credentials = [
            !self.credentials.is_empty(),
            !self.credentials_file.is_empty(),
            !self.credentials_ref.is_empty(),
        ];
        if given(credentials) > 1 {
            return Err("at most one of authorization credentials & credentials_file must be configured");
        }
        self.kind = self.kind.trim().to_owned();
        if self.kind.is_empty() {
            "Bearer".clone_into(&mut self.kind);
        }
        if self.kind.eq_ignore_ascii_case("basic") {
            return Err("authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
        }
        Ok(())
    }

    fn print(&self) -> Block {
        let mut block = Block::default();
        block.text("type", &self.kind).secret("credentials", &self.credentials);
        block.text("credentials_file", &self.credentials_file).text("credentials_ref", &self.credentials_ref);
        block
    }
}

/// The texts of [`OAuth2`] that are not secret, in the order in which they are printed around the secret ones.
const OAUTH2_TEXTS: [&str; 11] = [
    "client_id",
    "client_secret_file",
    "client_secret_ref",
    "client_certificate_key_id",
    "client_certificate_key_file",
    "client_certificate_key_ref",
    "grant_type",
    "signature_algorithm",
    "iss",
    "audience",
    "token_url",
];

impl OAuth2 {
    fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "config.plain")?;
        let mut oauth2 = Self::default();
        for name in OAUTH2_TEXTS {
            let mut value = String::new();
            fields.set(name, &mut value, context, yaml::string)?;
            oauth2.texts.push((name, value));
        }
        fields.set("client_secret", &mut oauth2.client_secret, context, secret)?;
        fields.set("client_certificate_key", &mut oauth2.client_certificate_key, context, secret)?;
        fields.set("scopes", &mut oauth2.scopes, context, yaml::strings)?;
        fields.set("endpoint_params", &mut oauth2.endpoint_params, context, sorted_map)?;
        fields.set("claims", &mut oauth2.claims, context, |node, context| {
            let claims = yaml::map(node, context, "map[string]interface {}", yaml::skip)?;
            Ok(claims.into_iter().map(|(name, ())| name).collect())
        })?;
        fields.set("tls_config", &mut oauth2.tls, context, TlsConfig::read)?;
        oauth2.proxy.take(&mut fields, context)?;
        fields.close(context)?;
        oauth2.proxy.check().map_err(|message| node.refuse(message))?;
        Ok(oauth2)
    }

    /// One of the texts by its key.
    pub fn text(&self, name: &str) -> &str {
        self.texts.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    fn check(&self) -> Result<(), &'static str> {
        let is = |name: &str| !self.text(name).is_empty();
        if !is("client_id") {
            return Err("oauth2 client_id must be configured");
        }
        if !is("token_url") {
            return Err("oauth2 token_url must be configured");
        }
        if self.text("grant_type") == JWT_BEARER {
            let key = !self.client_certificate_key.is_empty();
            if given([key, is("client_certificate_key_file"), is("client_certificate_key_ref")]) > 1 {
                return Err("at most one of oauth2 client_certificate_key, client_certificate_key_file & \
                            client_certificate_key_ref must be configured using \
                            grant-type=urn:ietf:params:oauth:grant-type:jwt-bearer");
            }
            if !matches!(self.text("signature_algorithm"), "" | "RS256" | "RS384" | "RS512") {
                return Err("valid signature algorithms are RS256, RS384 and RS512");
            }
        } else if given([!self.client_secret.is_empty(), is("client_secret_file"), is("client_secret_ref")])
            > 1
        {
            return Err(
                "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured \
                        using grant-type=client_credentials",
            );
        }
        Ok(())
    }

    fn print(&self) -> Block {
        let mut block = Block::default();
        block.text("client_id", self.text("client_id")).secret("client_secret", &self.client_secret);
        for name in ["client_secret_file", "client_secret_ref", "client_certificate_key_id"] {
            block.text(name, self.text(name));
        }
        block.secret("client_certificate_key", &self.client_certificate_key);
        for name in &OAUTH2_TEXTS[4..10] {
            block.text(name, self.text(name));
        }
        block.texts("scopes", &self.scopes).text("token_url", self.text("token_url"));
        block.pairs("endpoint_params", &self.endpoint_params);
        block.block("tls_config", self.tls.print()).inline(self.proxy.print());
        block
    }
}

impl Proxy {
    fn take(&mut self, fields: &mut Fields<'_>, context: &mut Context) -> Outcome<()> {
        self.url = fields.optional("proxy_url", context, url)?;
        fields.set("no_proxy", &mut self.no_proxy, context, yaml::string)?;
        fields.set("proxy_from_environment", &mut self.from_environment, context, yaml::boolean)?;
        fields.set("proxy_connect_header", &mut self.connect_header, context, |node, context| {
            let mut headers = yaml::map(node, context, "config.ProxyHeader", |node, context| {
                yaml::list(node, context, "[]config.Secret", secret)
            })?;
            headers.sort_by(|left, right| left.0.cmp(&right.0));
            Ok(headers)
        })
    }

    fn check(&self) -> Result<(), &'static str> {
        let url = self.url.as_ref().is_some_and(|url| !url.as_str().is_empty());
        if !self.connect_header.is_empty() && !self.from_environment && !url {
            return Err(
                "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured",
            );
        }
        if self.from_environment && url {
            return Err("if proxy_from_environment is configured, proxy_url must not be configured");
        }
        if self.from_environment && !self.no_proxy.is_empty() {
            return Err("if proxy_from_environment is configured, no_proxy must not be configured");
        }
        if self.url.is_none() && !self.no_proxy.is_empty() {
            return Err("if no_proxy is configured, proxy_url must also be configured");
        }
        Ok(())
    }

    fn print(&self) -> Block {
        let mut block = Block::default();
        block.url("proxy_url", self.url.as_ref()).text("no_proxy", &self.no_proxy);
        block.flag("proxy_from_environment", self.from_environment);
        if !self.connect_header.is_empty() {
            let hidden =
                |values: &[Secret]| Output::List(values.iter().map(|_| Output::text("<secret>")).collect());
            let headers = self.connect_header.iter().map(|(name, values)| (name.clone(), hidden(values)));
            block.always("proxy_connect_header", Output::Map(headers.collect()));
        }
        block
    }
}

impl Header {
    fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "config.Header")?;
        let mut header = Self::default();
        fields.set("values", &mut header.values, context, yaml::strings)?;
        fields.set("secrets", &mut header.secrets, context, |node, context| {
            yaml::list(node, context, "[]config.Secret", secret)
        })?;
        fields.set("files", &mut header.files, context, yaml::strings)?;
        fields.close(context)?;
        Ok(header)
    }

    fn print(&self) -> Block {
        let mut block = Block::default();
        block.texts("values", &self.values);
        block.list("secrets", &self.secrets, |_| Output::text("<secret>"));
        block.texts("files", &self.files);
        block
    }
}
