//! Faults: everything that may go wrong with a call or a delivery, all of it off unless asked for.

use serde::{Deserialize, Serialize};

use crate::refused::Refused;

/// A request is applied at most 5 s after it was sent, or never. What we add ourselves stays a little below.
pub(crate) const APPLIED_WITHIN_MS: u64 = 4_800;

/// What may go wrong. A rate is the share of calls (or deliveries) it happens to, from 0 to 1.
///
/// At most one of the call faults happens to one call; when their rates sum up to more than 1, the later ones
/// in this list get what is left. Latency and the rate limit come on top.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Every call takes at least this long.
    pub latency_from_ms: u64,
    /// Every call takes at most this long. Part of it passes before the call is applied.
    pub latency_to_ms: u64,
    /// More calls than this within a second are answered 429; 0 allows any number.
    pub rate_limit_per_s: u32,
    /// Whether a 429 says `Retry-After`.
    pub retry_after_header: bool,
    /// The seconds in `Retry-After`.
    pub retry_after_s: u32,

    /// Answered 429 without being applied, whatever the rate limit says.
    pub error_429_rate: f64,
    /// Answered 500 without being applied.
    pub error_500_rate: f64,
    /// Applied, then no answer for `hang_ms`, then 504.
    pub applied_then_hung_rate: f64,
    /// How long a hanging call keeps its caller waiting.
    pub hang_ms: u64,
    /// Answered 504 (at once or after `hang_ms`), and applied up to `late_max_ms` after it was sent.
    pub applied_late_rate: f64,
    /// The latest a late call is applied; never more than the 5 s of the contract.
    pub late_max_ms: u64,
    /// The connection is reset and nothing was applied.
    pub reset_before_rate: f64,
    /// The connection is reset after the call was applied.
    pub reset_after_rate: f64,
    /// Applied, and half of the JSON is answered with the status of success.
    pub truncated_json_rate: f64,
    /// An HTML page with status 200; half of the writes that get it were applied.
    pub html_200_rate: f64,
    /// Creates only: applied and answered 201 without the id.
    pub created_without_id_rate: f64,

    /// The webhook of a write is sent before the write is answered.
    pub announce_before_answer: bool,
    /// A delivery is sent twice, both times until acknowledged.
    pub delivery_doubled_rate: f64,
    /// A delivery is held back for up to `delivery_reorder_max_ms`, so that later ones overtake it.
    pub delivery_reordered_rate: f64,
    /// The longest a reordered delivery is held back.
    pub delivery_reorder_max_ms: u64,
    /// A delivery is held back for up to `delivery_delay_max_ms`.
    pub delivery_delayed_rate: f64,
    /// The longest a delayed delivery is held back.
    pub delivery_delay_max_ms: u64,
    /// A delivery is never sent.
    pub delivery_dropped_rate: f64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            latency_from_ms: 0,
            latency_to_ms: 0,
            rate_limit_per_s: 0,
            retry_after_header: true,
            retry_after_s: 1,
            error_429_rate: 0.0,
            error_500_rate: 0.0,
            applied_then_hung_rate: 0.0,
            hang_ms: 10_000,
            applied_late_rate: 0.0,
            late_max_ms: 5_000,
            reset_before_rate: 0.0,
            reset_after_rate: 0.0,
            truncated_json_rate: 0.0,
            html_200_rate: 0.0,
            created_without_id_rate: 0.0,
            announce_before_answer: false,
            delivery_doubled_rate: 0.0,
            delivery_reordered_rate: 0.0,
            delivery_reorder_max_ms: 500,
            delivery_delayed_rate: 0.0,
            delivery_delay_max_ms: 3_000,
            delivery_dropped_rate: 0.0,
        }
    }
}

impl Faults {
    /// Refuses what is no share. A sum of more than 1 is fine: the later faults get what is left.
    pub fn check(&self) -> Result<(), Refused> {
        let mut checked = self.clone();
        match checked.rates().into_iter().find(|(_, rate)| !(0.0..=1.0).contains(&**rate)) {
            None => Ok(()),
            Some((name, rate)) => Err(Refused::bad(format!("expected a rate from 0 to 1 for {name}, found {rate}"))),
        }
    }

    /// Every rate, by its name.
    pub(crate) fn rates(&mut self) -> [(&'static str, &mut f64); 13] {
        [
            ("error_429_rate", &mut self.error_429_rate),
            ("error_500_rate", &mut self.error_500_rate),
            ("applied_then_hung_rate", &mut self.applied_then_hung_rate),
            ("applied_late_rate", &mut self.applied_late_rate),
            ("reset_before_rate", &mut self.reset_before_rate),
            ("reset_after_rate", &mut self.reset_after_rate),
            ("truncated_json_rate", &mut self.truncated_json_rate),
            ("html_200_rate", &mut self.html_200_rate),
            ("created_without_id_rate", &mut self.created_without_id_rate),
            ("delivery_doubled_rate", &mut self.delivery_doubled_rate),
            ("delivery_reordered_rate", &mut self.delivery_reordered_rate),
            ("delivery_delayed_rate", &mut self.delivery_delayed_rate),
            ("delivery_dropped_rate", &mut self.delivery_dropped_rate),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_share_and_nothing_else() {
        for (rate, fine) in
            [(0.0, true), (0.25, true), (1.0, true), (-0.1, false), (1.01, false), (5.0, false), (f64::NAN, false)]
        {
            for number in 0..Faults::default().rates().len() {
                let mut faults = Faults::default();
                let (name, place) = &mut faults.rates()[number];
                **place = rate;
                let name = *name;

                let checked = faults.check();

                assert_eq!(checked.is_ok(), fine, "{name} {rate}");
                let told = format!("expected a rate from 0 to 1 for {name}, found {rate}");
                assert!(checked.is_ok() || checked.is_err_and(|refused| refused.message == told));
            }
        }
    }

    /// A rate that is added later is checked, too.
    #[test]
    fn every_rate_is_among_those_that_are_checked() {
        let fields = serde_json::to_value(Faults::default()).unwrap();
        let named = fields.as_object().unwrap().keys().filter(|name| name.ends_with("_rate")).count();

        assert_eq!(Faults::default().rates().len(), named);
    }

    #[test]
    fn faults_are_read_from_the_few_that_are_named() {
        let faults: Faults = serde_json::from_str(r#"{"error_500_rate":0.1}"#).unwrap();

        assert_eq!(faults, Faults { error_500_rate: 0.1, ..Faults::default() });
    }

    #[test]
    fn a_misspelled_fault_is_refused_with_the_names_that_exist() {
        let error = serde_json::from_str::<Faults>(r#"{"error_500":0.1}"#).unwrap_err();

        assert!(error.to_string().contains("error_500_rate"), "{error}");
    }
}
