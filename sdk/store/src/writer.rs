//! The one door for writes: a task that commits many of them with one sync of the disk.
//!
//! It takes what has queued up, runs it in one transaction with `synchronous = FULL`, and answers after the commit. So
//! a crowd of callers costs one sync, and what anybody is told is durable. The same task hands out hints: it alone
//! changes what is at work, between two transactions, so no hint can be merged, finished and handed out at once.

use std::sync::Arc;

use pairline_sdk::{Clock, Delivery, Disposition, Hint, Random, Taken, Timestamp};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use crate::cache::Cache;
use crate::engine::{Alive, Lanes, finish, take};
use crate::failure::Failure;
use crate::lock::OwnerLock;
use crate::work::Work;
use crate::{OpenError, Options, sql};

/// A write of its own. It may be run a second time, if the transaction it was in is rolled back.
pub(crate) trait Command: Send + Sync + 'static {
    /// What it answers after the commit.
    type Answer: Send + 'static;

    /// Whether it changes what may be handed out.
    const TOUCHES_HINTS: bool = false;

    fn run(&self, work: &mut Work<'_>) -> Result<Self::Answer, Failure>;
}

type Reply<T> = oneshot::Sender<Result<T, Failure>>;

/// A command with the one who waits for it, its type forgotten.
trait Job: Send {
    fn touches_hints(&self) -> bool;
    fn run(&mut self, work: &mut Work<'_>) -> Result<(), Failure>;
    fn conclude(self: Box<Self>, committed: Result<(), Failure>);
}

struct Asked<C: Command> {
    command: C,
    answer: Option<C::Answer>,
    reply: Reply<C::Answer>,
}

impl<C: Command> Job for Asked<C> {
    fn touches_hints(&self) -> bool {
        C::TOUCHES_HINTS
    }

    fn run(&mut self, work: &mut Work<'_>) -> Result<(), Failure> {
        self.answer = Some(self.command.run(work)?);
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
        connection: Connection,
        lock: Option<OwnerLock>,
        options: &Options,
        start: i64,
        lanes: Lanes,
        cache: Cache,
    ) -> Result<Self, OpenError> {
        let io = |error: std::io::Error| OpenError::Database(format!("no thread for its writes: {error}"));
        let (sender, receiver) = mpsc::channel(options.queue.max(1));
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
        };
        let (most, watch) = (options.group.max(1), options.watch);
        if !options.own_thread {
            tokio::spawn(task.run(receiver, most, watch));
            return Ok(Self(sender));
        }
        // A thread of its own, since it waits for the disk; and a small runtime on it, to wait for what comes first.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(io)?;
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
    connection: Connection,
    _lock: Option<OwnerLock>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    start: i64,
    lanes: Lanes,
    cache: Cache,
    /// Changes when another process commits.
    data_version: Option<i64>,
    gather: std::time::Duration,
}

/// Writes that came together before make it likely that more are on their way.
const CROWD: usize = 4;

impl Task {
    async fn run(mut self, mut inbox: mpsc::Receiver<Message>, most: usize, watch: std::time::Duration) {
        self.watch();
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
                _ = watch.tick() => self.watch(),
            }
            crowded = (group.len() >= CROWD).then(tokio::time::Instant::now);
            self.commit(group);
            if let Some(reply) = end {
                // Else a write that is just being put into the queue would stay there, and nobody would ever answer it.
                inbox.close();
                while inbox.recv().await.is_some() {}
                // Nothing is lost by a connection that does not close well: all of it is committed.
                drop(self.connection.close());
                drop(self._lock);
                reply.send(()).ok();
                return;
            }
            self.hand_out();
        }
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
    fn commit(&mut self, mut group: Group) {
        if group.len() == 0 {
            return;
        }
        let now = self.clock.now();
        match self.attempt(&mut group, now) {
            Ok(taken) => self.conclude(group, Ok(taken), now),
            Err(failure) if group.len() == 1 => self.conclude(group, Err(failure), now),
            Err(_) => {
                for mut part in group.split() {
                    let outcome = self.attempt(&mut part, now);
                    self.conclude(part, outcome, now);
                }
            }
        }
    }

    fn attempt(&mut self, group: &mut Group, now: Timestamp) -> Result<Vec<Taken>, Failure> {
        let outcome = self.run_all(group, now);
        if outcome.is_err() {
            // Whether a commit that failed has happened is not known.
            self.cache.clear();
            // An error here says that there is no transaction any more, which is what we want.
            drop(sql::run(&self.connection, "ROLLBACK", []));
        }
        outcome
    }

    /// One transaction.
    ///
    /// Without the library's own guard for one: when SQLite rolls back by itself (the disk is full), there is nothing
    /// left to roll back, and that is no failure.
    fn run_all(&mut self, group: &mut Group, now: Timestamp) -> Result<Vec<Taken>, Failure> {
        sql::run(&self.connection, "BEGIN IMMEDIATE", [])?;
        let version = data_version(&self.connection)?;
        self.notice(version);
        let mut work = Work::new(&self.connection, &self.cache, self.random.as_ref(), now, self.start);
        let mut taken = Vec::with_capacity(group.takes.len());
        for (delivery, _) in &group.takes {
            taken.push(take(&mut work, &mut self.lanes, delivery)?);
        }
        for job in &mut group.jobs {
            job.run(&mut work)?;
        }
        for (finished, _) in &group.finishes {
            finish(&mut work, &mut self.lanes, finished)?;
        }
        let changed = work.end();
        sql::run(&self.connection, "COMMIT", [])?;
        self.cache.committed(changed);
        Ok(taken)
    }

    fn conclude(&mut self, group: Group, outcome: Result<Vec<Taken>, Failure>, now: Timestamp) {
        for (finished, _) in &group.finishes {
            self.lanes.release(finished.hint);
        }
        match &outcome {
            Ok(_) if group.jobs.iter().any(|job| job.touches_hints()) => self.lanes.distrust(),
            Ok(_) if group.touches_hints() => self.lanes.look_again(),
            Ok(_) => {}
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
    fn watch(&mut self) {
        match data_version(&self.connection) {
            Ok(version) => self.notice(version),
            Err(failure) => tracing::warn!(failure = failure.0, "the database does not say whether it was changed"),
        }
    }

    fn hand_out(&mut self) {
        let now = self.clock.now();
        if let Err(failure) = self.lanes.hand_out(&self.connection, now) {
            tracing::warn!(failure = failure.0, "the database does not say what waits");
            self.lanes.hold_back(now);
        }
    }
}

fn data_version(connection: &Connection) -> Result<i64, Failure> {
    let version = sql::one(connection, "SELECT data_version FROM pragma_data_version", [], |row| row.get())?;
    version.ok_or_else(|| Failure("the database has no version".to_owned()))
}
