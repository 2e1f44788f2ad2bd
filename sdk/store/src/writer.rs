//! The one door for writes: a task that commits many of them with one sync of the disk.
//!
//! It takes what has queued up, runs it in one transaction with `synchronous = FULL`, and answers after the commit. So
//! a crowd of callers costs one sync, and what anybody is told is durable. The same task hands out hints: it alone
//! changes what is at work, between two transactions, so no hint can be merged, finished and handed out at once.

use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::{Clock, Delivery, Disposition, Hint, Random, Taken, Timestamp};
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use crate::batch::Batch;
use crate::cache::Cache;
use crate::engine::{Alive, Lanes, answer, finish, keys, take};
use crate::failure::Failure;
use crate::known::{Known, Needs};
use crate::lock::OwnerLock;
use crate::work::Work;
use crate::{OpenError, Options};

/// A write of its own. It may be run a second time, if the transaction it was in is rolled back.
#[async_trait]
pub(crate) trait Command: Send + Sync + 'static {
    /// What it answers after the commit.
    type Answer: Send + 'static;

    /// Whether it changes what may be handed out.
    const TOUCHES_HINTS: bool = false;

    /// What it will read first. It is read for all of a group at once.
    fn needs(&self, _needs: &mut Needs<'_>) {}

    async fn run(&self, work: &mut Work<'_>) -> Result<Self::Answer, Failure>;
}

type Reply<T> = oneshot::Sender<Result<T, Failure>>;

/// A command with the one who waits for it, its type forgotten.
#[async_trait]
trait Job: Send {
    fn touches_hints(&self) -> bool;
    fn needs(&self, needs: &mut Needs<'_>);
    async fn run(&mut self, work: &mut Work<'_>) -> Result<(), Failure>;
    fn conclude(self: Box<Self>, committed: Result<(), Failure>);
}

struct Asked<C: Command> {
    command: C,
    answer: Option<C::Answer>,
    reply: Reply<C::Answer>,
}

#[async_trait]
impl<C: Command> Job for Asked<C> {
    fn touches_hints(&self) -> bool {
        C::TOUCHES_HINTS
    }

    fn needs(&self, needs: &mut Needs<'_>) {
        self.command.needs(needs);
    }

    async fn run(&mut self, work: &mut Work<'_>) -> Result<(), Failure> {
        self.answer = Some(self.command.run(work).await?);
        Ok(())
    }

    fn conclude(self: Box<Self>, committed: Result<(), Failure>) {
        let Self { answer, reply, .. } = *self;
        let answer = committed.and_then(|()| answer.ok_or_else(|| Failure("a write did not run".to_owned())));
        // A caller that went away does not want to know; what it asked for is committed all the same.
        drop(reply.send(answer));
    }
}

/// What became of a hint.
pub(crate) struct Finished {
    pub(crate) hint: i64,
    pub(crate) disposition: Disposition,
}

enum Message {
    Take(Delivery, Reply<Taken>),
    Finish(Finished, Reply<()>),
    Write(Box<dyn Job>),
    Attach(usize, mpsc::Sender<Hint>, Reply<Alive>),
    Detach,
    Close(oneshot::Sender<()>),
}

/// Where writes are asked for. The task ends when the last of these is gone.
#[derive(Clone)]
pub(crate) struct Writer(mpsc::Sender<Message>);

impl Writer {
    /// Starts the task on a connection. It keeps the owner's lock for as long as it may write.
    pub(crate) fn start(
        connection: SqliteConnection,
        lock: Option<OwnerLock>,
        options: &Options,
        start: i64,
        lanes: Lanes,
        cache: Cache,
    ) -> Result<Self, OpenError> {
        let io = |error: std::io::Error| OpenError::Database(format!("no thread for its writes: {error}"));
        let (sender, receiver) = mpsc::channel(options.queue.max(1));
        // A thread of its own with a small runtime: an answer of SQLite wakes this thread and nobody else. In a pool of
        // threads every answer sets another one searching for work, which costs more than the statement.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(io)?;
        let task = Task {
            connection,
            _lock: lock,
            clock: Arc::clone(&options.clock),
            random: Arc::clone(&options.random),
            start,
            lanes,
            data_version: None,
            cache,
            gather: options.gather,
            ready: None,
        };
        let (most, watch) = (options.group.max(1), options.watch);
        std::thread::Builder::new()
            .name("pairline-writer".to_owned())
            .spawn(move || runtime.block_on(task.run(receiver, most, watch)))
            .map_err(io)?;
        Ok(Self(sender))
    }

    /// Runs a command and answers once it is durable.
    pub(crate) async fn ask<C: Command>(&self, command: C) -> Result<C::Answer, Failure> {
        self.send(|reply| Message::Write(Box::new(Asked { command, answer: None, reply }))).await
    }

    /// Takes a delivery and answers once it is durable.
    pub(crate) async fn take(&self, delivery: Delivery) -> Result<Taken, Failure> {
        self.send(|reply| Message::Take(delivery, reply)).await
    }

    /// Writes what became of a hint and answers once it is durable.
    pub(crate) async fn finish(&self, hint: i64, disposition: Disposition) -> Result<(), Failure> {
        self.send(|reply| Message::Finish(Finished { hint, disposition }, reply)).await
    }

    /// Begins to hand out hints, at most `parallel` at once.
    pub(crate) async fn attach(&self, parallel: usize) -> Result<(mpsc::Receiver<Hint>, Alive), Failure> {
        let parallel = parallel.max(1);
        let (sender, receiver) = mpsc::channel(parallel);
        let alive = self.send(|reply| Message::Attach(parallel, sender, reply)).await?;
        Ok((receiver, alive))
    }

    /// Hands out no more.
    pub(crate) async fn detach(&self) -> Result<(), Failure> {
        self.0.send(Message::Detach).await.map_err(|_| closed())
    }

    /// Commits what is queued and closes the connection.
    pub(crate) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.0.send(Message::Close(reply)).await.is_ok() {
            drop(answer.await);
        }
    }

    async fn send<T>(&self, message: impl FnOnce(Reply<T>) -> Message) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        self.0.send(message(reply)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

fn closed() -> Failure {
    Failure("the database is closed".to_owned())
}

/// What is committed together.
#[derive(Default)]
struct Group {
    takes: Vec<(Delivery, Reply<Taken>)>,
    jobs: Vec<Box<dyn Job>>,
    finishes: Vec<(Finished, Reply<()>)>,
}

impl Group {
    fn len(&self) -> usize {
        self.takes.len() + self.jobs.len() + self.finishes.len()
    }

    fn touches_hints(&self) -> bool {
        !self.takes.is_empty() || !self.finishes.is_empty() || self.jobs.iter().any(|job| job.touches_hints())
    }

    /// Each of them by itself, in the same order.
    fn split(self) -> impl Iterator<Item = Self> {
        let takes = self.takes.into_iter().map(|take| Self { takes: vec![take], ..Self::default() });
        let jobs = self.jobs.into_iter().map(|job| Self { jobs: vec![job], ..Self::default() });
        let finishes = self.finishes.into_iter().map(|finish| Self { finishes: vec![finish], ..Self::default() });
        takes.chain(jobs).chain(finishes)
    }

    fn conclude(self, outcome: Result<Vec<Taken>, Failure>) {
        let (taken, committed) = match outcome {
            Ok(taken) => (taken, Ok(())),
            Err(failure) => (vec![Taken::default(); self.takes.len()], Err(failure)),
        };
        // Whoever went away does not want to know.
        for ((_, reply), taken) in self.takes.into_iter().zip(taken) {
            drop(reply.send(committed.clone().map(|()| taken)));
        }
        for job in self.jobs {
            job.conclude(committed.clone());
        }
        for (_, reply) in self.finishes {
            drop(reply.send(committed.clone()));
        }
    }
}

struct Task {
    connection: SqliteConnection,
    _lock: Option<OwnerLock>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    start: i64,
    lanes: Lanes,
    cache: Cache,
    /// Changes when another process commits.
    data_version: Option<i64>,
    /// What was ready after the last commit, of at most so many for each system.
    ready: Option<(String, i64)>,
    gather: std::time::Duration,
}

/// Writes that came together before make it likely that more are on their way.
const CROWD: usize = 4;

impl Task {
    async fn run(mut self, mut inbox: mpsc::Receiver<Message>, most: usize, watch: std::time::Duration) {
        self.watch().await;
        let mut watch = tokio::time::interval_at(tokio::time::Instant::now() + watch, watch);
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // When the last commit began, if it was one of a crowd.
        let mut crowded: Option<tokio::time::Instant> = None;
        loop {
            let clock = Arc::clone(&self.clock);
            let next = self.lanes.next_look();
            let due = async move {
                match next {
                    Some(at) => clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let mut group = Group::default();
            let mut end = None;
            tokio::select! {
                message = inbox.recv() => match message {
                    None => break,
                    Some(message) => {
                        end = self.sort_in(message, &mut group).or_else(|| self.drain(&mut inbox, &mut group, most));
                        if let Some(begun) = crowded && end.is_none() && group.len() < most {
                            // Asleep, instead of waking up for each that comes.
                            tokio::time::sleep_until(begun + self.gather).await;
                            end = self.drain(&mut inbox, &mut group, most);
                        }
                    }
                },
                () = due => self.lanes.look_again(),
                _ = watch.tick() => self.watch().await,
            }
            crowded = (group.len() >= CROWD).then(tokio::time::Instant::now);
            self.commit(group).await;
            if let Some(reply) = end {
                // Nothing is lost by a connection that does not close well: all of it is committed.
                drop(self.connection.close().await);
                drop(self._lock);
                reply.send(()).ok();
                return;
            }
            self.hand_out().await;
        }
        drop(self.connection.close().await);
    }

    /// Sorts in what has queued up.
    fn drain(
        &mut self,
        inbox: &mut mpsc::Receiver<Message>,
        group: &mut Group,
        most: usize,
    ) -> Option<oneshot::Sender<()>> {
        let mut end = None;
        while end.is_none()
            && group.len() < most
            && let Ok(message) = inbox.try_recv()
        {
            end = self.sort_in(message, group);
        }
        end
    }

    fn sort_in(&mut self, message: Message, group: &mut Group) -> Option<oneshot::Sender<()>> {
        match message {
            Message::Take(delivery, reply) => group.takes.push((delivery, reply)),
            Message::Finish(finished, reply) => group.finishes.push((finished, reply)),
            Message::Write(job) => group.jobs.push(job),
            Message::Attach(parallel, hints, reply) => drop(reply.send(self.lanes.attach(parallel, hints))),
            Message::Detach => self.lanes.detach(),
            Message::Close(reply) => return Some(reply),
        }
        None
    }

    /// Runs a group. If it fails, each of its parts has a transaction of its own: one cannot take the others down.
    async fn commit(&mut self, mut group: Group) {
        if group.len() == 0 {
            return;
        }
        let now = self.clock.now();
        match self.attempt(&mut group, now).await {
            Ok(taken) => self.conclude(group, Ok(taken), now),
            Err(failure) if group.len() == 1 => self.conclude(group, Err(failure), now),
            Err(_) => {
                for mut part in group.split() {
                    let outcome = self.attempt(&mut part, now).await;
                    self.conclude(part, outcome, now);
                }
            }
        }
    }

    async fn attempt(&mut self, group: &mut Group, now: Timestamp) -> Result<Vec<Taken>, Failure> {
        let outcome = self.run_all(group, now).await;
        if outcome.is_err() {
            // It may have been committed all the same: the question after it can fail too.
            self.cache.clear();
            // An error here says that there is no transaction any more, which is what we want.
            drop(sqlx::query("ROLLBACK").execute(&mut self.connection).await);
        }
        outcome
    }

    /// One transaction in two trips: what is read, and what is written. The commit is in the second one.
    ///
    /// Not through sqlx's own transactions: when SQLite rolls back by itself (the disk is full), they try to roll back
    /// what is not there any more, and the connection never recovers.
    async fn run_all(&mut self, group: &mut Group, now: Timestamp) -> Result<Vec<Taken>, Failure> {
        let deliveries: Vec<&Delivery> = group.takes.iter().map(|(delivery, _)| delivery).collect();
        let mut needs = Needs::new(&self.cache);
        group.jobs.iter().for_each(|job| job.needs(&mut needs));
        let mut opening = Batch::default();
        Known::ask(opening.add("BEGIN IMMEDIATE"), &needs, keys(&deliveries)?)?;
        let rows = opening.run(&mut self.connection).await?;
        let mut known = Known::read(&rows, needs)?;
        self.notice(known.data_version);
        let taken = std::mem::take(&mut known.taken);
        let mut work = Work::new(&mut self.connection, &self.cache, self.random.as_ref(), now, self.start, known);
        let sorted = take(&mut work, &mut self.lanes, &deliveries, &taken).await?;
        for job in &mut group.jobs {
            job.run(&mut work).await?;
        }
        let finished: Vec<&Finished> = group.finishes.iter().map(|(finished, _)| finished).collect();
        let ended = finish(&mut work, &mut self.lanes, &finished).await?;

        let mut closing = Batch::default();
        let changed = work.end(&mut closing)?;
        sorted.write(&mut closing, now)?;
        ended.write(&mut closing)?;
        closing.add("COMMIT");
        // What may be handed out then. If the commit fails, the question is not asked.
        let ending: Vec<i64> = finished.iter().map(|finished| finished.hint).collect();
        let question = self.lanes.question_after(group.touches_hints(), &ending, now)?;
        if let Some(question) = &question {
            question.ask(&mut closing, now)?;
        }
        let ready = closing.run(&mut self.connection).await?;
        // It is committed. What follows is memory.
        self.cache.committed(changed);
        self.ready = match question {
            Some(question) => Some((answer(&ready)?, question.most)),
            None => None,
        };
        Ok(sorted.taken)
    }

    fn conclude(&mut self, group: Group, outcome: Result<Vec<Taken>, Failure>, now: Timestamp) {
        for (finished, _) in &group.finishes {
            self.lanes.release(finished.hint);
        }
        match &outcome {
            Ok(_) => {
                let by_command = group.jobs.iter().any(|job| job.touches_hints());
                if by_command {
                    self.lanes.distrust();
                } else if let Some((answer, most)) = self.ready.take() {
                    if let Err(failure) = self.lanes.answered(&answer, most, now) {
                        tracing::warn!(failure = failure.0, "a hint cannot be read");
                        self.lanes.hold_back(now);
                    }
                } else if group.touches_hints() {
                    self.lanes.look_again();
                }
            }
            Err(failure) => {
                tracing::warn!(failure = failure.0, "the database did not take a write");
                self.lanes.hold_back(now);
            }
        }
        group.conclude(outcome);
    }

    /// Forgets what may be old, if another process has written.
    fn notice(&mut self, version: i64) {
        if self.data_version.replace(version) != Some(version) {
            self.cache.clear();
            self.lanes.distrust();
        }
    }

    /// Looks whether another process has changed something.
    async fn watch(&mut self) {
        match sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut self.connection).await {
            Ok(version) => self.notice(version),
            Err(error) => tracing::warn!(%error, "the database does not say whether it was changed"),
        }
    }

    async fn hand_out(&mut self) {
        let now = self.clock.now();
        if let Err(failure) = self.lanes.hand_out(&mut self.connection, now).await {
            tracing::warn!(failure = failure.0, "the database does not say what waits");
            self.lanes.hold_back(now);
        }
    }
}
