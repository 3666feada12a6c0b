//! UTF-8 names in a path: `U__` and the name, what is no letter, digit or underscore as `_hex_`, an underscore doubled.

/// The name that an escaped one stands for. What is not escaped, or not rightly, stands for itself.
pub(super) fn unescape(name: &str) -> String {
    name.strip_prefix("U__").and_then(unescape_rest).unwrap_or_else(|| name.to_owned())
}

fn unescape_rest(mut rest: &str) -> Option<String> {
    let mut out = String::with_capacity(rest.len());
    while let Some(underscore) = rest.find('_') {
        out.push_str(&rest[..underscore]);
        let code = &rest[underscore + 1..];
        let end = code.find('_')?;
        if end == 0 {
            out.push('_');
        } else if end <= 6 && code[..end].bytes().all(|digit| digit.is_ascii_hexdigit()) {
            out.push(char::from_u32(u32::from_str_radix(&code[..end], 16).ok()?)?);
        } else {
            return None;
        }
        rest = &code[end + 1..];
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (escaped, name) in [
            ("job", "job"),
            ("U__http_2e_status", "http.status"),
            ("U__a__b", "a_b"),
            ("U___1F600_x", "😀x"),
            ("U__", ""),
            ("U__bad_", "U__bad_"),
            ("U__bad_zz_", "U__bad_zz_"),
            ("U__bad_d800_", "U__bad_d800_"),
            ("U__bad_1234567_", "U__bad_1234567_"),
        ] {
            assert_eq!(unescape(escaped), name, "{escaped}");
        }
    }
}
