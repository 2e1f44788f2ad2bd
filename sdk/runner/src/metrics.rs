//! What the program counts, in the text format of Prometheus.
//!
//! A handle is made once and kept; counting is one atomic addition. Labels come from configuration and never from a
//! record.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Durations in buckets.
    Histogram,
}

/// A metric: its name, what it tells and what tells its series apart.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it tells.
    pub help: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
}

const fn metric(name: &'static str, kind: Kind, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, help, kind, labels }
}

/// Events by what became of them at the door.
pub const EVENTS_RECEIVED: Metric = metric(
    "pairline_events_received_total",
    Kind::Counter,
    &["application", "result"],
    "Events received: accepted, duplicate, rejected, unreadable or ignored.",
);
/// Deliveries by the status they were answered with.
pub const DELIVERIES: Metric = metric(
    "pairline_webhook_deliveries_total",
    Kind::Counter,
    &["application", "status"],
    "Webhook deliveries by the status they were answered with.",
);
/// Events dropped as echoes.
pub const ECHOES: Metric = metric(
    "pairline_echoes_dropped_total",
    Kind::Counter,
    &["application"],
    "Events that were our own writes coming back.",
);
/// What nodes answered.
pub const NODE_RESULTS: Metric =
    metric("pairline_node_results_total", Kind::Counter, &["topology", "node", "result"], "What nodes answered.");
/// Hints that are looked at again.
pub const REPEATS: Metric =
    metric("pairline_repeats_total", Kind::Counter, &["node", "counted"], "Messages that are looked at again later.");
/// From an event's arrival to the end of its work.
pub const EVENT_LAG: Metric = metric(
    "pairline_event_lag_seconds",
    Kind::Histogram,
    &["application"],
    "From an event's arrival to the end of its work.",
);
/// Calls by class of status.
pub const HTTP_REQUESTS: Metric = metric(
    "pairline_http_client_requests_total",
    Kind::Counter,
    &["application", "status_class"],
    "Calls to applications; `none` is a call without an answer.",
);
/// Calls answered 429.
pub const HTTP_THROTTLED: Metric = metric(
    "pairline_http_client_throttled_total",
    Kind::Counter,
    &["application"],
    "Calls to applications that were answered 429.",
);
/// Writes whose outcome nobody knows.
pub const OUTCOMES_UNKNOWN: Metric = metric(
    "pairline_outcomes_unknown_total",
    Kind::Counter,
    &["application"],
    "Writes whose outcome was not known when they ended.",
);
/// Waits for the limiter.
pub const LIMITER_WAITS: Metric = metric(
    "pairline_limiter_waits_total",
    Kind::Counter,
    &["application"],
    "How often a call had to wait for the limiter.",
);
/// Whether an application is left alone.
pub const APPLICATION_PAUSED: Metric = metric(
    "pairline_application_paused",
    Kind::Gauge,
    &["application"],
    "1 while no calls are made to the application.",
);
/// Hints that wait.
pub const QUEUE_DEPTH: Metric = metric("pairline_queue_depth", Kind::Gauge, &[], "Records that wait to be looked at.");
/// How long the oldest hint waits.
pub const QUEUE_OLDEST: Metric =
    metric("pairline_queue_oldest_age_seconds", Kind::Gauge, &[], "How long the record has waited that waits longest.");
/// What is in the trash.
pub const TRASH_SIZE: Metric = metric("pairline_trash_size", Kind::Gauge, &[], "What could not be delivered.");
/// Mapping rows.
pub const MAPPING_ROWS: Metric = metric(
    "pairline_mapping_rows",
    Kind::Gauge,
    &["state"],
    "Pairs: active, inactive, or reserved and not mapped yet.",
);
/// Operations of unknown outcome.
pub const OPERATIONS_UNKNOWN: Metric =
    metric("pairline_operations_unknown", Kind::Gauge, &[], "Writes whose outcome is not known now.");
/// Creates in doubt.
pub const RESERVATION_OLDEST: Metric = metric(
    "pairline_reservation_oldest_age_seconds",
    Kind::Gauge,
    &[],
    "How long the create has been under way that is so longest.",
);
/// Open cases.
pub const CASES_OPEN: Metric = metric("pairline_cases_open", Kind::Gauge, &[], "Cases a person has to decide.");
/// Messages that components have worked on.
pub const COMPONENT_CALLS: Metric = metric(
    "pairline_component_calls_total",
    Kind::Counter,
    &["component", "ended"],
    "Messages that components have worked on: answered, failed, trapped, timed-out, refused or malformed.",
);
/// Instances of components.
pub const COMPONENT_INSTANCES: Metric = metric(
    "pairline_component_instances_total",
    Kind::Counter,
    &["component"],
    "Instances of components that were made.",
);
/// Changes of components.
pub const COMPONENT_RELOADS: Metric = metric(
    "pairline_component_reloads_total",
    Kind::Counter,
    &["component", "taken"],
    "Changes of a component's file: taken up or not.",
);
/// The program.
pub const BUILD_INFO: Metric = metric("pairline_build_info", Kind::Gauge, &["version"], "The program's version.");

/// Every metric there is.
pub const ALL: [Metric; 22] = [
    EVENTS_RECEIVED,
    DELIVERIES,
    ECHOES,
    NODE_RESULTS,
    REPEATS,
    EVENT_LAG,
    HTTP_REQUESTS,
    HTTP_THROTTLED,
    OUTCOMES_UNKNOWN,
    LIMITER_WAITS,
    APPLICATION_PAUSED,
    QUEUE_DEPTH,
    QUEUE_OLDEST,
    TRASH_SIZE,
    MAPPING_ROWS,
    OPERATIONS_UNKNOWN,
    RESERVATION_OLDEST,
    CASES_OPEN,
    COMPONENT_CALLS,
    COMPONENT_INSTANCES,
    COMPONENT_RELOADS,
    BUILD_INFO,
];

/// A number that is counted or set. Cloning it is another handle on the same number.
#[derive(Clone, Debug, Default)]
pub struct Number(Arc<AtomicU64>);

impl Number {
    /// One more.
    pub fn add_one(&self) {
        self.add(1);
    }

    /// Some more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// This many.
    pub fn set(&self, to: u64) {
        self.0.store(to, Ordering::Relaxed);
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Durations in buckets. Cloning it is another handle on the same buckets.
#[derive(Clone, Debug, Default)]
pub struct Durations(Arc<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; BUCKETS.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

impl Durations {
    /// One more.
    pub fn observe(&self, duration: std::time::Duration) {
        let seconds = duration.as_secs_f64();
        if let Some(bucket) = BUCKETS.iter().position(|bound| seconds <= *bound) {
            self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        }
        self.0.count.fetch_add(1, Ordering::Relaxed);
        self.0.micros.fetch_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

#[derive(Clone, Debug)]
enum Series {
    Number(Number),
    Durations(Durations),
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Metrics {
    series: Mutex<BTreeMap<(&'static str, String), Series>>,
}

impl Metrics {
    /// The counter or gauge with these values of its labels.
    pub fn number(&self, metric: &Metric, labels: &[&str]) -> Number {
        let key = (metric.name, labels_text(metric, labels));
        let made = self.series().entry(key).or_insert_with(|| Series::Number(Number::default())).clone();
        match made {
            Series::Number(number) => number,
            // A handle that is not shown is better than a program that stops to count.
            Series::Durations(_) => Number::default(),
        }
    }

    /// The durations with these values of their labels.
    pub fn durations(&self, metric: &Metric, labels: &[&str]) -> Durations {
        let key = (metric.name, labels_text(metric, labels));
        let made = self.series().entry(key).or_insert_with(|| Series::Durations(Durations::default())).clone();
        match made {
            Series::Durations(durations) => durations,
            Series::Number(_) => Durations::default(),
        }
    }

    /// As Prometheus reads it.
    pub fn render(&self) -> String {
        let mut out = String::new();
        let series = self.series();
        for metric in ALL {
            let of_metric =
                series.range((metric.name, String::new())..).take_while(|((name, _), _)| *name == metric.name);
            let mut headed = false;
            for ((name, labels), series) in of_metric {
                if !headed {
                    headed = true;
                    let kind = match metric.kind {
                        Kind::Counter => "counter",
                        Kind::Gauge => "gauge",
                        Kind::Histogram => "histogram",
                    };
                    line(&mut out, format_args!("# HELP {name} {}", metric.help));
                    line(&mut out, format_args!("# TYPE {name} {kind}"));
                }
                match series {
                    Series::Number(number) => line(&mut out, format_args!("{name}{} {}", braced(labels), number.get())),
                    Series::Durations(durations) => buckets(&mut out, name, labels, durations),
                }
            }
        }
        out
    }

    fn series(&self) -> MutexGuard<'_, BTreeMap<(&'static str, String), Series>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn buckets(out: &mut String, name: &str, labels: &str, durations: &Durations) {
    let inner = |bound: &str| match labels {
        "" => format!("{{le=\"{bound}\"}}"),
        labels => format!("{{{labels},le=\"{bound}\"}}"),
    };
    let mut below = 0;
    for (bound, count) in BUCKETS.iter().zip(&durations.0.counts) {
        below += count.load(Ordering::Relaxed);
        line(out, format_args!("{name}_bucket{} {below}", inner(&bound.to_string())));
    }
    let count = durations.0.count.load(Ordering::Relaxed);
    line(out, format_args!("{name}_bucket{} {count}", inner("+Inf")));
    let micros = durations.0.micros.load(Ordering::Relaxed);
    line(out, format_args!("{name}_sum{} {}.{:06}", braced(labels), micros / 1_000_000, micros % 1_000_000));
    line(out, format_args!("{name}_count{} {count}", braced(labels)));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a text can always be written to");
}

fn braced(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}

fn labels_text(metric: &Metric, values: &[&str]) -> String {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs = metric.labels.iter().zip(values).map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    pairs.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_counted_is_shown_once_per_metric_with_its_labels() {
        let metrics = Metrics::default();
        metrics.number(&EVENTS_RECEIVED, &["crm", "accepted"]).add(2);
        metrics.number(&EVENTS_RECEIVED, &["crm", "accepted"]).add_one();
        metrics.number(&EVENTS_RECEIVED, &["e\"r\np", "duplicate"]).add_one();
        metrics.number(&TRASH_SIZE, &[]).set(7);

        assert_eq!(
            metrics.render(),
            "# HELP pairline_events_received_total Events received: accepted, duplicate, rejected, unreadable or \
             ignored.\n\
             # TYPE pairline_events_received_total counter\n\
             pairline_events_received_total{application=\"crm\",result=\"accepted\"} 3\n\
             pairline_events_received_total{application=\"e\\\"r\\np\",result=\"duplicate\"} 1\n\
             # HELP pairline_trash_size What could not be delivered.\n\
             # TYPE pairline_trash_size gauge\n\
             pairline_trash_size 7\n"
        );
    }

    #[test]
    fn durations_are_shown_in_growing_buckets() {
        let metrics = Metrics::default();
        let lag = metrics.durations(&EVENT_LAG, &["crm"]);
        for millis in [1, 20, 20, 400_000] {
            lag.observe(Duration::from_millis(millis));
        }

        let shown = metrics.render();

        for line in [
            "pairline_event_lag_seconds_bucket{application=\"crm\",le=\"0.005\"} 1",
            "pairline_event_lag_seconds_bucket{application=\"crm\",le=\"0.025\"} 3",
            "pairline_event_lag_seconds_bucket{application=\"crm\",le=\"300\"} 3",
            "pairline_event_lag_seconds_bucket{application=\"crm\",le=\"+Inf\"} 4",
            "pairline_event_lag_seconds_sum{application=\"crm\"} 400.041000",
            "pairline_event_lag_seconds_count{application=\"crm\"} 4",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line} in\n{shown}");
        }
    }

    #[test]
    fn names_are_unique_and_in_prometheus_style() {
        let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();

        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            assert!(metric.name.starts_with("pairline_"), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
        }
    }
}
