//! Results of tests as JUnit XML.

use std::fmt::Write;

/// The results of all files.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Suite>);

/// The results of one file.
#[derive(Debug, Default)]
pub(super) struct Suite {
    name: String,
    /// When it was run: `2006-01-02T15:04:05`, empty if it was not.
    pub(super) timestamp: String,
    cases: Vec<Case>,
    errors: usize,
}

/// The result of one test group.
#[derive(Debug, Default)]
struct Case {
    name: String,
    failures: Vec<String>,
    error: String,
}

impl Report {
    pub(super) fn suite(&mut self, name: &str) -> &mut Suite {
        self.0.push(Suite { name: name.to_owned(), ..Suite::default() });
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    pub(super) fn to_xml(&self) -> String {
        let mut out = String::from("<testsuites>");
        for suite in &self.0 {
            // Of all cases together, so that there may be more than cases.
            let failures: usize = suite.cases.iter().map(|case| case.failures.len()).sum();
            _ = write!(
                out,
                r#"<testsuite name="{}" tests="{}" failures="{failures}" errors="{}" skipped="0" timestamp="{}">"#,
                escaped(&suite.name),
                suite.cases.len(),
                suite.errors,
                escaped(&suite.timestamp)
            );
            for case in &suite.cases {
                _ = write!(out, r#"<testcase name="{}">"#, escaped(&case.name));
                for failure in &case.failures {
                    _ = write!(out, "<failure>{}</failure>", escaped(failure));
                }
                if !case.error.is_empty() {
                    _ = write!(out, "<error>{}</error>", escaped(&case.error));
                }
                out.push_str("</testcase>");
            }
            out.push_str("</testsuite>");
        }
        out.push_str("</testsuites>");
        out
    }
}

impl Suite {
    /// A test group with what failed in it.
    pub(super) fn case(&mut self, name: &str, failures: Vec<String>) {
        self.cases.push(Case { name: name.to_owned(), failures, ..Case::default() });
    }

    /// The file could not be used.
    pub(super) fn abort(&mut self, error: &str) {
        self.errors += 1;
        if self.cases.is_empty() {
            self.case("unknown", Vec::new());
        }
        if let Some(case) = self.cases.last_mut() {
            error.clone_into(&mut case.error);
        }
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '\t' => out.push_str("&#x9;"),
            '\n' => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            control if control < ' ' => out.push(char::REPLACEMENT_CHARACTER),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted_and_escaped() {
        let mut report = Report::default();
        let suite = report.suite("a.yml");
        suite.case("good", Vec::new());
        suite.case("<bad>", vec!["x\n\"y\"".to_owned(), "z".to_owned()]);
        report.suite("b.yml").abort("no such file");
        assert_eq!(
            report.to_xml(),
            "<testsuites><testsuite name=\"a.yml\" tests=\"2\" failures=\"2\" errors=\"0\" skipped=\"0\" timestamp=\"\">\
             <testcase name=\"good\"></testcase><testcase name=\"&lt;bad&gt;\"><failure>x&#xA;&#34;y&#34;</failure><failure>z</failure>\
             </testcase></testsuite><testsuite name=\"b.yml\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\" \
             timestamp=\"\"><testcase name=\"unknown\"><error>no such file</error></testcase></testsuite></testsuites>"
        );
    }
}
