//! What a configured client sends besides: credentials and further headers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use promconfig::{HttpClientConfig, Secret};

/// The headers of a client. Files are read now.
///
/// # Errors
/// A file that cannot be read, in Prometheus' words.
pub fn of_client(client: &HttpClientConfig) -> Result<Vec<(String, String)>, String> {
    let mut headers = Vec::new();
    if let Some(basic) = &client.basic_auth {
        let user = text_or_file(&basic.username, &basic.username_file, "username")?;
        let password = text_or_file(basic.password.expose(), &basic.password_file, "password")?;
        headers.push((
            "Authorization".to_owned(),
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))),
        ));
    }
    if let Some(authorization) = &client.authorization {
        let credentials = text_or_file(
            authorization.credentials.expose(),
            &authorization.credentials_file,
            "authorization credentials",
        )?;
        if !credentials.is_empty() {
            headers.push(("Authorization".to_owned(), format!("{} {credentials}", authorization.kind)));
        }
    }
    for (name, header) in &client.headers {
        let mut values = header.values.clone();
        values.extend(header.secrets.iter().map(Secret::expose).map(str::to_owned));
        for file in &header.files {
            values.push(read(file).map_err(|error| format!("unable to read headers file {file}: {error}"))?);
        }
        headers.push((name.clone(), values.join(", ")));
    }
    Ok(headers)
}

fn text_or_file(text: &str, file: &str, what: &str) -> Result<String, String> {
    if file.is_empty() {
        return Ok(text.to_owned());
    }
    read(file).map_err(|error| format!("unable to read {what} file {file}: {error}"))
}

fn read(file: &str) -> std::io::Result<String> {
    Ok(std::fs::read_to_string(file)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use promconfig::Config;

    use super::*;

    fn client(yaml: &str) -> HttpClientConfig {
        let text = format!("scrape_configs:\n- job_name: a\n{yaml}");
        Config::parse(&text, |_| None).unwrap().scrape_configs.remove(0).client
    }

    #[test]
    fn credentials_become_a_header() {
        let basic = of_client(&client("  basic_auth: {username: u, password: p}\n")).unwrap();
        assert_eq!(basic, [("Authorization".to_owned(), "Basic dTpw".to_owned())]);
        let bearer =
            of_client(&client("  bearer_token: abc\n  http_headers: {X: {values: [a], secrets: [b]}}\n"));
        let expected = [("Authorization", "Bearer abc"), ("X", "a, b")];
        assert_eq!(bearer.unwrap(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn files_are_read_and_named_when_they_are_not_there() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "token\n").unwrap();
        let path = file.path().display().to_string();
        let headers =
            of_client(&client(&format!("  authorization: {{type: Token, credentials_file: {path}}}\n")));
        assert_eq!(headers.unwrap(), [("Authorization".to_owned(), "Token token".to_owned())]);
        let missing = of_client(&client("  basic_auth: {username: u, password_file: /nowhere/at/all}\n"));
        assert!(missing.unwrap_err().starts_with("unable to read password file /nowhere/at/all: "));
    }
}
