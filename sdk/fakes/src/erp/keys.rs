//! Keys: what each `Idempotency-Key` was answered, for as long as the ERP remembers it.
//!
//! The keys live behind the same lock as the customers, so of two requests with one key the second always finds
//! what the first has made.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::erp::customer::Customer;

#[derive(Debug)]
pub(crate) struct Keys {
    life: Duration,
    answers: HashMap<String, Customer>,
    /// Oldest first. All keys live equally long, so this is also the order in which they die.
    born: VecDeque<(Instant, String)>,
}

impl Keys {
    pub(crate) fn living(life: Duration) -> Self {
        Self { life, answers: HashMap::new(), born: VecDeque::new() }
    }

    /// The customer as it was answered then, whatever became of it.
    pub(crate) fn answer(&mut self, key: &str) -> Option<Customer> {
        self.forget_dead();
        self.answers.get(key).cloned()
    }

    pub(crate) fn remember(&mut self, key: String, answer: Customer) {
        self.born.push_back((Instant::now(), key.clone()));
        self.answers.insert(key, answer);
    }

    fn forget_dead(&mut self) {
        let life = self.life;
        while let Some((_, key)) = self.born.pop_front_if(|(born, _)| born.elapsed() >= life) {
            self.answers.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Map;

    use super::*;
    use crate::records::State;

    fn customer(number: u64) -> Customer {
        let state = State { fields: Map::new(), created_ms: 0, updated_ms: 0, gone: false };
        Customer { number, state: Arc::new(state) }
    }

    #[test]
    fn a_key_is_remembered_for_its_life_and_not_longer() {
        let mut long = Keys::living(Duration::from_secs(60));
        let mut none = Keys::living(Duration::ZERO);
        for keys in [&mut long, &mut none] {
            keys.remember("k".to_owned(), customer(1));
        }

        assert_eq!(long.answer("k").unwrap().number, 1);
        assert!(none.answer("k").is_none());
        assert!(none.born.is_empty());
    }
}
