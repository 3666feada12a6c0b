//! Looking for things until they are there.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::time::Duration;

use reqwest::Client;
use tokio::time::Instant;

use super::places::Places;
use super::report::Place;
use super::request::Sent;
use crate::output;
use crate::quantity::show_duration;

/// First pause between two looks at one place; doubled each time, up to the longest.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const LOOK_AGAIN_SLOWLY: Duration = Duration::from_secs(1);
/// How often the line about what is awaited is drawn anew.
const REDRAW: Duration = Duration::from_millis(250);

/// Looking for one request, and for what belongs to the stack.
pub(super) struct Look<'a> {
    pub(super) client: &'a Client,
    pub(super) places: &'a Places,
    pub(super) sent: &'a Sent,
    deadline: Instant,
    /// Places where it was not found yet. All looks share one thread.
    waiting: RefCell<Vec<Place>>,
}

/// What was found and how long after the answer, or what was missing at last.
pub(super) type Outcome = Result<(String, Duration), String>;

impl<'a> Look<'a> {
    pub(super) fn new(client: &'a Client, places: &'a Places, sent: &'a Sent, deadline: Instant) -> Self {
        Self { client, places, sent, deadline, waiting: RefCell::default() }
    }

    /// Looks again and again.
    pub(super) async fn until_found(
        &self,
        place: Place,
        look: impl AsyncFn() -> anyhow::Result<String>,
    ) -> Outcome {
        self.waiting.borrow_mut().push(place);
        let outcome = self.look_until_found(look).await;
        self.waiting.borrow_mut().retain(|waiting| *waiting != place);
        outcome
    }

    async fn look_until_found(&self, look: impl AsyncFn() -> anyhow::Result<String>) -> Outcome {
        let mut pause = LOOK_AGAIN;
        loop {
            let missing = match tokio::time::timeout_at(self.deadline, look()).await {
                Ok(Ok(found)) => return Ok((found, self.sent.answered.elapsed())),
                Ok(Err(missing)) => missing.to_string(),
                Err(_late) => "no answer in time".to_owned(),
            };
            if Instant::now() + pause >= self.deadline {
                return Err(missing);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_AGAIN_SLOWLY);
        }
    }

    /// Says on a terminal what is awaited, while it is.
    pub(super) async fn while_showing_progress<T>(&self, work: impl Future<Output = T>) -> T {
        if !std::io::stderr().is_terminal() {
            return work.await;
        }
        let show = async {
            loop {
                tokio::time::sleep(REDRAW).await;
                // One line, drawn over the last one.
                output::print_error(&format!("\r\x1b[K{}", self.progress()));
            }
        };
        let result = tokio::select! {
            result = work => result,
            () = show => unreachable!("it never ends"),
        };
        output::print_error("\r\x1b[K");
        result
    }

    fn progress(&self) -> String {
        const WIDTH: usize = 60;
        let waiting = self.waiting.borrow();
        let mut names = String::new();
        for (index, place) in waiting.iter().enumerate() {
            if names.len() + place.name.len() > WIDTH {
                names += &format!(" and {} more", waiting.len() - index);
                break;
            }
            names += if index == 0 { "" } else { ", " };
            names += place.name;
        }
        let (since, left) =
            (self.sent.answered.elapsed(), self.deadline.saturating_duration_since(Instant::now()));
        format!("waiting for {names} ({}, at most {} more)", show_duration(since), show_duration(left))
    }
}
