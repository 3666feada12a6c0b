//! Points and lengths of time, as Go prints them. All are in UTC.

use std::fmt::{self, Write as _};

use jiff::civil::DateTime;

/// A length of time in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub i64);

/// A point in time in nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

const SECOND: i64 = 1_000_000_000;

impl Duration {
    /// In seconds.
    pub fn seconds(self) -> f64 {
        (self.0 / SECOND) as f64 + (self.0 % SECOND) as f64 / 1e9
    }
}

/// As `time.Duration` prints itself: `1h2m0.5s`, `1.5ms`, `0s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_char('-')?;
        }
        let (unit, name) = match nanos {
            0 => return f.write_str("0s"),
            1..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "µs"),
            1_000_000..1_000_000_000 => (1_000_000, "ms"),
            _ => {
                let seconds = nanos / 1_000_000_000;
                if seconds >= 3600 {
                    write!(f, "{}h", seconds / 3600)?;
                }
                if seconds >= 60 {
                    write!(f, "{}m", seconds / 60 % 60)?;
                }
                return decimal(f, nanos % 60_000_000_000, 1_000_000_000, "s");
            }
        };
        decimal(f, nanos, unit, name)
    }
}

/// A number of units with as many decimals as it needs.
fn decimal(f: &mut fmt::Formatter<'_>, nanos: u64, unit: u64, name: &str) -> fmt::Result {
    write!(f, "{}", nanos / unit)?;
    let rest = nanos % unit;
    if rest > 0 {
        let digits = unit.ilog10() as usize;
        write!(f, ".{}", format!("{rest:0digits$}").trim_end_matches('0'))?;
    }
    f.write_str(name)
}

impl Time {
    /// In seconds, rounded down.
    pub fn unix(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// In milliseconds, rounded down.
    pub fn unix_milli(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Date and time of day.
    pub(crate) fn civil(self) -> DateTime {
        let timestamp = jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(jiff::Timestamp::MIN);
        jiff::tz::TimeZone::UTC.to_datetime(timestamp)
    }

    /// `time.Time.Format`: the layout shows how the reference time, `Mon Jan 2 15:04:05 2006`, would be written.
    pub fn format(self, layout: &str) -> String {
        let civil = self.civil();
        let mut out = String::with_capacity(layout.len() + 8);
        let mut rest = layout;
        while let Some(first) = rest.chars().next() {
            let element = ELEMENTS.iter().find(|(name, _)| rest.starts_with(*name) && fits(rest, name));
            if let Some((name, element)) = element {
                element.write(&mut out, civil);
                rest = &rest[name.len()..];
            } else if let Some((length, keeps_zeros)) = fraction(rest) {
                let nanos = format!("{:09}", civil.subsec_nanosecond());
                let digits = &nanos[..(length - 1).min(9)];
                let digits = if keeps_zeros { digits } else { digits.trim_end_matches('0') };
                if !digits.is_empty() {
                    out.push(first);
                    out.push_str(digits);
                }
                rest = &rest[length..];
            } else {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        out
    }
}

/// As `time.Time` prints itself.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}

/// An element of a layout.
#[derive(Clone, Copy)]
enum Element {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekDay,
    WeekDay,
    Day,
    SpaceDay,
    ZeroDay,
    SpaceYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    Noon,
    LowerNoon,
    /// What is the same at every time in UTC.
    Zone(&'static str),
}

/// Longer ones before those that they begin with.
const ELEMENTS: &[(&str, Element)] = &[
    ("January", Element::LongMonth),
    ("Jan", Element::Month),
    ("Monday", Element::LongWeekDay),
    ("Mon", Element::WeekDay),
    ("MST", Element::Zone("UTC")),
    ("2006", Element::LongYear),
    ("__2", Element::SpaceYearDay),
    ("_2", Element::SpaceDay),
    ("002", Element::ZeroYearDay),
    ("01", Element::ZeroMonth),
    ("02", Element::ZeroDay),
    ("03", Element::ZeroHour12),
    ("04", Element::ZeroMinute),
    ("05", Element::ZeroSecond),
    ("06", Element::Year),
    ("15", Element::Hour),
    ("1", Element::NumMonth),
    ("2", Element::Day),
    ("3", Element::Hour12),
    ("4", Element::Minute),
    ("5", Element::Second),
    ("PM", Element::Noon),
    ("pm", Element::LowerNoon),
    ("-07:00:00", Element::Zone("+00:00:00")),
    ("-070000", Element::Zone("+000000")),
    ("-07:00", Element::Zone("+00:00")),
    ("-0700", Element::Zone("+0000")),
    ("-07", Element::Zone("+00")),
    ("Z07:00:00", Element::Zone("Z")),
    ("Z070000", Element::Zone("Z")),
    ("Z07:00", Element::Zone("Z")),
    ("Z0700", Element::Zone("Z")),
    ("Z07", Element::Zone("Z")),
];

/// Short names of months and days stand for themselves in longer words; a year after an underscore is a year.
fn fits(rest: &str, name: &str) -> bool {
    match name {
        "Jan" | "Mon" => !rest[3..].starts_with(|next: char| next.is_ascii_lowercase()),
        "_2" => !rest.starts_with("_2006"),
        _ => true,
    }
}

/// A fraction of a second: how long it is with its point, and whether zeros at its end stay.
fn fraction(rest: &str) -> Option<(usize, bool)> {
    if !rest.starts_with(['.', ',']) {
        return None;
    }
    let kind = rest[1..].chars().next().filter(|digit| matches!(digit, '0' | '9'))?;
    let length = rest[1..].len() - rest[1..].trim_start_matches(kind).len();
    let behind = rest[1 + length..].chars().next();
    (!behind.is_some_and(|next| next.is_ascii_digit())).then_some((1 + length, kind == '0'))
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Name of a month by its number.
pub(crate) fn month_name(month: i8) -> &'static str {
    MONTHS[usize::try_from(month - 1).unwrap_or(0).min(11)]
}

/// Name of a day of the week.
pub(crate) fn weekday_name(civil: DateTime) -> &'static str {
    DAYS[usize::try_from(civil.date().weekday().to_monday_zero_offset()).unwrap_or(0).min(6)]
}

impl Element {
    fn write(self, out: &mut String, civil: DateTime) {
        let hour12 = (civil.hour() + 11) % 12 + 1;
        // Writing to a string cannot fail.
        _ = match self {
            Self::LongMonth => write!(out, "{}", month_name(civil.month())),
            Self::Month => write!(out, "{}", &month_name(civil.month())[..3]),
            Self::NumMonth => write!(out, "{}", civil.month()),
            Self::ZeroMonth => write!(out, "{:02}", civil.month()),
            Self::LongWeekDay => write!(out, "{}", weekday_name(civil)),
            Self::WeekDay => write!(out, "{}", &weekday_name(civil)[..3]),
            Self::Day => write!(out, "{}", civil.day()),
            Self::SpaceDay => write!(out, "{:2}", civil.day()),
            Self::ZeroDay => write!(out, "{:02}", civil.day()),
            Self::SpaceYearDay => write!(out, "{:3}", civil.date().day_of_year()),
            Self::ZeroYearDay => write!(out, "{:03}", civil.date().day_of_year()),
            Self::Hour => write!(out, "{:02}", civil.hour()),
            Self::Hour12 => write!(out, "{hour12}"),
            Self::ZeroHour12 => write!(out, "{hour12:02}"),
            Self::Minute => write!(out, "{}", civil.minute()),
            Self::ZeroMinute => write!(out, "{:02}", civil.minute()),
            Self::Second => write!(out, "{}", civil.second()),
            Self::ZeroSecond => write!(out, "{:02}", civil.second()),
            Self::LongYear => write!(out, "{:04}", civil.year()),
            Self::Year => write!(out, "{:02}", civil.year().rem_euclid(100)),
            Self::Noon => write!(out, "{}", if civil.hour() >= 12 { "PM" } else { "AM" }),
            Self::LowerNoon => write!(out, "{}", if civil.hour() >= 12 { "pm" } else { "am" }),
            Self::Zone(text) => write!(out, "{text}"),
        };
    }
}
