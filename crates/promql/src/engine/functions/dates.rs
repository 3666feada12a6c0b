//! Parts of a date in UTC.

/// What a date function gives of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DatePart {
    Year,
    Month,
    DayOfMonth,
    DayOfYear,
    /// Sunday is 0.
    DayOfWeek,
    DaysInMonth,
    Hour,
    Minute,
}

const DAY_SECONDS: i128 = 86_400;

/// The first of January of the year -292277022399, where Go's calendar begins.
const FIRST_SECOND: i64 = -9_223_372_028_715_321_600;

/// Days of 400 years, after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;

/// The calendar's origin in days before 1970-01-01: the first of March of year 0, so that a leap day ends a year.
const ORIGIN_DAYS: i64 = 719_468;

/// The function of that name, of a time in seconds since the Unix epoch.
pub(super) fn by_name(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "day_of_month" => |seconds| DatePart::DayOfMonth.of_seconds(seconds),
        "day_of_week" => |seconds| DatePart::DayOfWeek.of_seconds(seconds),
        "day_of_year" => |seconds| DatePart::DayOfYear.of_seconds(seconds),
        "days_in_month" => |seconds| DatePart::DaysInMonth.of_seconds(seconds),
        "hour" => |seconds| DatePart::Hour.of_seconds(seconds),
        "minute" => |seconds| DatePart::Minute.of_seconds(seconds),
        "month" => |seconds| DatePart::Month.of_seconds(seconds),
        "year" => |seconds| DatePart::Year.of_seconds(seconds),
        _ => return None,
    })
}

impl DatePart {
    /// Of a time in seconds since the Unix epoch; fractions are cut off towards zero.
    fn of_seconds(self, seconds: f64) -> f64 {
        self.of(whole_seconds(seconds))
    }

    fn of(self, seconds: i64) -> f64 {
        // What is before the first time of Go's calendar comes out at its end.
        let wrapped = if seconds < FIRST_SECOND { 1_i128 << 64 } else { 0 };
        let seconds = i128::from(seconds) + wrapped;
        let days = seconds.div_euclid(DAY_SECONDS) as i64;
        let second_of_day = seconds.rem_euclid(DAY_SECONDS) as i64;
        let date = Date::of_days(days);
        let part = match self {
            Self::Year => date.year,
            Self::Month => date.month,
            Self::DayOfMonth => date.day,
            Self::DayOfYear => days - Date::first_of_year(date.year) + 1,
            // 1970-01-01 was a Thursday.
            Self::DayOfWeek => (days + 4).rem_euclid(7),
            Self::DaysInMonth => date.days_in_month(),
            Self::Hour => second_of_day / 3600,
            Self::Minute => second_of_day % 3600 / 60,
        };
        part as f64
    }
}

/// What is no number, or too large for one, is the least one: as the processor of most servers converts it.
fn whole_seconds(seconds: f64) -> i64 {
    let whole = seconds.trunc();
    // 2^63 is the first that does not fit.
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&whole) {
        whole as i64
    } else {
        i64::MIN
    }
}

struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl Date {
    /// The date so many days after 1970-01-01 in the Gregorian calendar, extended both ways.
    fn of_days(days: i64) -> Self {
        let days = days + ORIGIN_DAYS;
        let (era, day_of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / (ERA_DAYS - 1)) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // Months from March have 153 days in five.
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year, month, day }
    }

    /// Days from 1970-01-01 to the first of January of a year.
    fn first_of_year(year: i64) -> i64 {
        let before = year - 1;
        before * 365 + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 719_162
    }

    fn days_in_month(&self) -> i64 {
        let is_leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        match self.month {
            2 => 28 + i64::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(seconds: f64) -> [f64; 8] {
        [
            DatePart::Year,
            DatePart::Month,
            DatePart::DayOfMonth,
            DatePart::DayOfYear,
            DatePart::DayOfWeek,
            DatePart::DaysInMonth,
            DatePart::Hour,
            DatePart::Minute,
        ]
        .map(|part| part.of_seconds(seconds))
    }

    #[test]
    fn dates_of_times() {
        assert_eq!(all(0.0), [1970.0, 1.0, 1.0, 1.0, 4.0, 31.0, 0.0, 0.0]);
        // 2016-02-29 23:59:59.9, a Monday.
        assert_eq!(all(1_456_790_399.9), [2016.0, 2.0, 29.0, 60.0, 1.0, 29.0, 23.0, 59.0]);
        // 1969-12-31 23:59:59.
        assert_eq!(all(-1.0), [1969.0, 12.0, 31.0, 365.0, 3.0, 31.0, 23.0, 59.0]);
        assert_eq!(all(-0.9), all(0.0));
        // 1900 was no leap year, 2000 was one.
        assert_eq!(all(-2_203_891_200.0)[..4], [1900.0, 3.0, 1.0, 60.0]);
        assert_eq!(all(951_782_400.0)[..4], [2000.0, 2.0, 29.0, 60.0]);
        // As Prometheus 3.14 answers.
        assert_eq!(all(-9e18), [-285_198_644_592.0, 9.0, 12.0, 256.0, 1.0, 30.0, 8.0, 0.0]);
        for seconds in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(all(seconds), [292_277_026_596.0, 12.0, 4.0, 339.0, 0.0, 31.0, 15.0, 30.0]);
        }
    }

    #[test]
    fn days_follow_each_other() {
        let mut before = Date::of_days(-800_000);
        for days in -799_999..800_000 {
            let date = Date::of_days(days);
            let expected = if before.day < before.days_in_month() {
                (before.year, before.month, before.day + 1)
            } else if before.month < 12 {
                (before.year, before.month + 1, 1)
            } else {
                (before.year + 1, 1, 1)
            };
            assert_eq!((date.year, date.month, date.day), expected);
            if date.day == 1 && date.month == 1 {
                assert_eq!(Date::first_of_year(date.year), days);
            }
            before = date;
        }
    }
}
