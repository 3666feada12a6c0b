//! `time.Parse` with the layout `time.RFC3339Nano`.

use super::quote;

const LAYOUT: &str = "2006-01-02T15:04:05.999999999Z07:00";

/// Reads an RFC 3339 time to nanoseconds since the Unix epoch; says what is wrong in Go's words.
pub fn parse_rfc3339(text: &str) -> Result<i128, String> {
    let mut reader = Reader { text, rest: text };
    let year = reader.number(4, "2006")?;
    reader.literal("-", "-")?;
    let month = reader.number(2, "01")?;
    reader.within(month, 1, 12, "month")?;
    reader.literal("-", "-")?;
    let day = reader.number(2, "02")?;
    reader.literal("T", "T")?;
    let hour = reader.number(2, "15")?;
    reader.within(hour, 0, 23, "hour")?;
    reader.literal(":", ":")?;
    let minute = reader.number(2, "04")?;
    reader.within(minute, 0, 59, "minute")?;
    reader.literal(":", ":")?;
    let second = reader.number(2, "05")?;
    reader.within(second, 0, 59, "second")?;
    let nanos = reader.fraction();
    let offset_seconds = reader.zone()?;
    if !reader.rest.is_empty() {
        return Err(format!("parsing time {}: extra text: {}", quote(text), quote(reader.rest)));
    }
    let out_of_range = || format!("parsing time {}: day out of range", quote(text));
    let date = jiff::civil::Date::new(year as i16, month as i8, day as i8).map_err(|_| out_of_range())?;
    let days = i64::from(date.since(jiff::civil::date(1970, 1, 1)).map_err(|_| out_of_range())?.get_days());
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset_seconds;
    Ok(i128::from(seconds) * 1_000_000_000 + i128::from(nanos))
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Reader<'_> {
    fn cannot(&self, element: &str) -> String {
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quote(self.text),
            quote(LAYOUT),
            quote(self.rest),
            quote(element)
        )
    }

    fn number(&mut self, digits: usize, element: &str) -> Result<i64, String> {
        match self.rest.get(..digits) {
            Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                let value = number.parse().map_err(|_| self.cannot(element))?;
                self.rest = &self.rest[digits..];
                Ok(value)
            }
            _ => Err(self.cannot(element)),
        }
    }

    fn literal(&mut self, literal: &str, element: &str) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(literal).ok_or_else(|| self.cannot(element))?;
        Ok(())
    }

    fn within(&self, value: i64, first: i64, last: i64, what: &str) -> Result<(), String> {
        if (first..=last).contains(&value) {
            Ok(())
        } else {
            Err(format!("parsing time {}: {what} out of range", quote(self.text)))
        }
    }

    /// Nanoseconds; digits past the ninth are cut, as Go does.
    fn fraction(&mut self) -> i64 {
        let Some(after) = self.rest.strip_prefix(['.', ',']) else { return 0 };
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 {
            return 0;
        }
        let mut nanos = 0;
        for index in 0..9 {
            let digit = after.as_bytes().get(index).filter(|_| index < digits).map_or(0, |byte| byte - b'0');
            nanos = nanos * 10 + i64::from(digit);
        }
        self.rest = &after[digits..];
        nanos
    }

    fn zone(&mut self) -> Result<i64, String> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let whole = self.rest;
        let error = |reader: &mut Self| {
            reader.rest = whole;
            reader.cannot("Z07:00")
        };
        let sign = match whole.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(self.cannot("Z07:00")),
        };
        self.rest = &whole[1..];
        let Ok(hours) = self.number(2, "Z07:00") else { return Err(error(self)) };
        if self.literal(":", "Z07:00").is_err() {
            return Err(error(self));
        }
        let Ok(minutes) = self.number(2, "Z07:00") else { return Err(error(self)) };
        self.within(hours, 0, 24, "time zone offset hour")?;
        self.within(minutes, 0, 60, "time zone offset minute")?;
        Ok(sign * (hours * 3600 + minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_go_reads_them() {
        for (text, nanos) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2017-01-26T16:46:31.639875Z", 1_485_449_191_639_875_000),
            ("2000-04-05T21:55:16.999999992+08:00", 954_942_916_999_999_992),
            ("1970-01-01T00:00:00.0000000019Z", 1),
            ("1969-12-31T23:59:59Z", -1_000_000_000),
        ] {
            assert_eq!(parse_rfc3339(text), Ok(nanos), "{text}");
        }
        let layout = r#""2006-01-02T15:04:05.999999999Z07:00""#;
        for (text, error) in [
            ("abc", format!(r#"parsing time "abc" as {layout}: cannot parse "abc" as "2006""#)),
            ("", format!(r#"parsing time "" as {layout}: cannot parse "" as "2006""#)),
            (
                "2020-01-02 03:04:05Z",
                format!(
                    r#"parsing time "2020-01-02 03:04:05Z" as {layout}: cannot parse " 03:04:05Z" as "T""#
                ),
            ),
            (
                "2020-01-02T03:04:05",
                format!(r#"parsing time "2020-01-02T03:04:05" as {layout}: cannot parse "" as "Z07:00""#),
            ),
            ("2020-13-02T03:04:05Z", r#"parsing time "2020-13-02T03:04:05Z": month out of range"#.to_owned()),
            ("2020-02-30T03:04:05Z", r#"parsing time "2020-02-30T03:04:05Z": day out of range"#.to_owned()),
            ("2020-01-02T03:04:05Zx", r#"parsing time "2020-01-02T03:04:05Zx": extra text: "x""#.to_owned()),
        ] {
            assert_eq!(parse_rfc3339(text), Err(error), "{text}");
        }
    }
}
