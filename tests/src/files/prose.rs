//! What READMEs tell people to type and to open: files, services, profiles, ports and links that there have to be.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::addresses;
use super::compose::Compose;
use super::{Complaints, extension, items, pattern, scalar};

/// Commands within the code blocks of a Markdown text, continued lines joined.
pub fn commands(markdown: &str) -> Vec<String> {
    static INLINE: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"`((?:docker compose|k6 run|make|curl) [^`]+)`"));
    let mut commands = Vec::new();
    let mut in_block = false;
    let mut whole = String::new();
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        // Code by indentation counts as well.
        let is_code = in_block || line.starts_with("    ");
        if !is_code {
            continue;
        }
        if let Some(begun) = line.trim_end().strip_suffix('\\') {
            whole.push_str(begun);
            continue;
        }
        whole.push_str(line);
        let command = std::mem::take(&mut whole);
        let command = command.trim().trim_start_matches("$ ");
        let command = command.split_once(" #").map_or(command, |(command, _)| command).trim();
        if !command.is_empty() {
            commands.push(command.to_owned());
        }
    }
    // And what stands in a sentence.
    commands.extend(INLINE.captures_iter(markdown).map(|captures| captures[1].to_owned()));
    commands
}

/// What the commands of a text name: compose files, scripts, targets of the Makefile, services and profiles.
pub fn named(markdown: &str, compose: &Compose, makefile: &str, exists: impl Fn(&str) -> bool) -> Complaints {
    let mut complaints = Vec::new();
    let targets: BTreeSet<&str> =
        makefile.lines().filter_map(|line| line.split_once(':')).map(|(target, _)| target).collect();
    let profiles: BTreeSet<String> = compose
        .services()
        .flat_map(|(_, service)| items(&service["profiles"]).iter().filter_map(scalar).collect::<Vec<_>>())
        .collect();
    for command in commands(markdown) {
        for part in command.split(['|', ';', '&']).map(str::trim) {
            let words = words_of(part);
            let is_setting = |word: &&&str| word.contains('=') && !word.starts_with('-');
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let settings = words.iter().take_while(is_setting).count();
            let words = &words[settings..];
            match words {
                ["docker", "compose", rest @ ..] => {
                    complaints.extend(
                        of_compose(rest, compose, &profiles, &exists)
                            .into_iter()
                            .map(|fault| format!("{part}: {fault}")),
                    );
                }
                ["k6", "run", rest @ ..] => {
                    for script in rest.iter().filter(|word| extension(word) == "js") {
                        if !exists(script) {
                            complaints.push(format!("{part}: {script} is not there"));
                        }
                    }
                }
                ["make", target, ..] if !target.contains('=') && !targets.contains(target) => {
                    complaints.push(format!("{part}: the Makefile has no target {target}"));
                }
                _ => {}
            }
        }
    }
    complaints
}

/// A command's words as a shell has them: quotes hold together what they enclose.
fn words_of(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in command.chars() {
        match quote {
            Some(open) if open == letter => quote = None,
            None if matches!(letter, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            None if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

fn of_compose(
    words: &[&str],
    compose: &Compose,
    profiles: &BTreeSet<String>,
    exists: &impl Fn(&str) -> bool,
) -> Complaints {
    let mut complaints = Vec::new();
    let mut words = words.iter().copied().peekable();
    // Options of `docker compose` itself.
    let mut command = "";
    while let Some(word) = words.next() {
        match word {
            "-f" | "--file" => {
                let file = words.next().unwrap_or_default();
                if !exists(file) {
                    complaints.push(format!("{file} is not there"));
                }
            }
            "--profile" => {
                let profile = words.next().unwrap_or_default();
                if profile != "*" && !profiles.contains(profile) {
                    complaints.push(format!("no service has the profile {profile}"));
                }
            }
            "-p" | "--project-name" | "--env-file" | "--ansi" | "--progress" => {
                words.next();
            }
            option if option.starts_with('-') => {}
            found => {
                command = found;
                break;
            }
        }
    }
    let names_services = matches!(
        command,
        "up" | "stop"
            | "start"
            | "restart"
            | "logs"
            | "pull"
            | "build"
            | "rm"
            | "kill"
            | "ps"
            | "top"
            | "create"
    );
    // These name one service, and then a command for it.
    let names_one = matches!(command, "exec" | "run" | "port");
    if command.is_empty() || !(names_services || names_one) {
        return complaints;
    }
    while let Some(word) = words.next() {
        if matches!(word, "--scale") {
            let service = words.next().and_then(|scale| scale.split('=').next()).unwrap_or_default();
            if compose.service(service).is_null() {
                complaints.push(format!("{service} is no service"));
            }
        } else if matches!(
            word,
            "-t" | "--timeout"
                | "--tail"
                | "-n"
                | "--since"
                | "-e"
                | "--env"
                | "-u"
                | "--user"
                | "--wait-timeout"
                | "--format"
        ) {
            words.next();
        } else if word.starts_with(['-', '>', '<', '…', '$']) || word.starts_with("2>") {
            // An option, a redirection, what a shell puts in.
        } else if word.chars().all(|c| c.is_ascii_uppercase()) {
            // A placeholder, as in `logs NAME`.
        } else {
            if compose.service(word).is_null() {
                complaints.push(format!("{word} is no service"));
            }
            if names_one {
                break;
            }
        }
    }
    complaints
}

/// Every localhost address in a text is a port that is published, or one of `others` (the embedded stack's).
pub fn ports(markdown: &str, compose: &Compose, others: &[u16]) -> Complaints {
    let mut complaints = Vec::new();
    // `localhost:3000` within a sentence ends with a full stop or in backticks.
    let text =
        markdown.replace(['`', '(', ')', '<', '>', '|', '*'], " ").replace(". ", " ").replace(", ", " ");
    for address in addresses::find(&text) {
        let is_here = matches!(address.host.as_str(), "localhost" | "127.0.0.1");
        // Without a port it is the beginning of an address, as in a table's heading.
        if !is_here || address.port.is_none_or(|port| others.contains(&port)) {
            continue;
        }
        complaints.extend(addresses::judge(&address, compose, &[], false));
    }
    complaints.dedup();
    complaints
}

/// Relative links lead to files that are there; `exists` is asked with paths relative to the text's own folder.
pub fn links(markdown: &str, exists: impl Fn(&str) -> bool) -> Complaints {
    static LINK: LazyLock<Regex> = LazyLock::new(|| pattern(r"\]\(([^)\s]+)\)"));
    let mut complaints = Vec::new();
    for captures in LINK.captures_iter(markdown) {
        let link = &captures[1];
        if link.contains("://") || link.starts_with(['#', '/']) || link.starts_with("mailto:") {
            continue;
        }
        let path = link.split('#').next().unwrap_or_default();
        if !exists(path) {
            complaints.push(format!("{link} leads nowhere"));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compose() -> Compose {
        let text = "services: { users: { ports: ['127.0.0.1:8001:8001'] }, beyla: { profiles: [ebpf] } }";
        Compose::read(&[text]).unwrap()
    }

    fn after(command: &str) -> String {
        let exists = |path: &str| matches!(path, "docker-compose.yaml" | "k6-script.js");
        named(&format!("```sh\n{command}\n```\n"), &compose(), "up: ## x\n", exists).join("; ")
    }

    #[test]
    fn good_commands_are_not_complained_about() {
        for command in [
            "docker compose up -d --wait",
            "docker compose -f docker-compose.yaml --profile ebpf up -d beyla",
            "docker compose logs -f --tail 20 users   # what it says",
            "docker compose exec users /usr/local/bin/users healthcheck",
            "docker compose down --volumes",
            "RATE=5 k6 run -o opentelemetry k6-script.js",
            "make up UP=\"--port-offset 1\"",
            "docker compose up -d \\\n  users",
            "docker compose ps --format 'table {{.Service}} {{.Status}}'",
            "docker compose logs NAME 2>&1",
            "docker compose --profile '*' down",
        ] {
            assert_eq!(after(command), "", "{command}");
        }
    }

    #[test]
    fn what_is_not_there_is_found() {
        assert!(after("docker compose -f other.yaml up").contains("other.yaml"));
        assert!(after("docker compose --profile bpf up").contains("profile bpf"));
        assert!(after("docker compose stop user").contains("user is no service"));
        assert!(after("cd x && docker compose exec user ls").contains("user is no service"));
        assert!(after("k6 run load.js").contains("load.js"));
        assert!(after("make upp").contains("target upp"));
        let inline = named("Stop with `docker compose stop user`.", &compose(), "", |_| true);
        assert_eq!(inline.len(), 1);
    }

    #[test]
    fn ports_that_nobody_publishes_are_found() {
        assert!(ports("Open http://localhost:8001/users, `localhost:3200`.", &compose(), &[3200]).is_empty());
        assert_eq!(ports("Open <http://localhost:8008>.", &compose(), &[]).len(), 1);
        assert_eq!(ports("| `localhost:8008` |", &compose(), &[]).len(), 1);
    }

    #[test]
    fn broken_links_are_found() {
        let exists = |path: &str| path == "docs/a.md";
        assert!(links("[a](docs/a.md#top) [b](https://x.org/y) [c](#here)", exists).is_empty());
        assert_eq!(links("[a](docs/b.md)", exists), ["docs/b.md leads nowhere"]);
    }
}
