//! What the compose files start a component with.

use libtest_mimic::Failed;
use tests::peers::ours::root;

/// The `command` of a service, which is written as a list.
pub(crate) fn command(file: &str, service: &str) -> Result<Vec<String>, Failed> {
    let text = std::fs::read_to_string(root().join(file))?;
    let mut lines = text.lines().skip_while(|line| *line != format!("  {service}:"));
    lines.next();
    let own = lines.take_while(|line| line.is_empty() || line.starts_with("    "));
    let after = own.skip_while(|line| *line != "    command:").skip(1);
    let items = after.map_while(|line| {
        line.trim_start().strip_prefix("- ").or_else(|| line.trim_start().starts_with('#').then_some(""))
    });
    let words = items
        .filter(|item| !item.is_empty())
        .map(|item| item.split(" #").next().unwrap_or_default().trim().to_owned());
    let words: Vec<String> = words.collect();
    if words.is_empty() { Err(format!("{file}: {service} has no command").into()) } else { Ok(words) }
}
