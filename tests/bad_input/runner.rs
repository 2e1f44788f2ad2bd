//! The program at work: what it says and how it ends, each waited for itself.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::http::call;
use super::stage::keeps_secrets;
use super::wait::{SOON, until};

/// The contract's own limit.
pub(crate) const STOPS_WITHIN: Duration = Duration::from_secs(3);

/// The program at work; killed when dropped, and its log and metrics looked through for secrets.
pub(crate) struct Runner {
    pub(crate) child: Child,
    port: u16,
    log: Arc<Log>,
    readers: Vec<JoinHandle<std::io::Result<()>>>,
}

impl Runner {
    /// The program that was started with both its outputs piped.
    pub(crate) fn of(mut child: Child, port: u16) -> Self {
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let voices = [Box::new(out) as Box<dyn Read + Send>, Box::new(err)];
        let log = Arc::new(Log::of(voices.len()));
        let readers = voices.map(|voice| {
            let log = Arc::clone(&log);
            std::thread::spawn(move || log.take_down(voice))
        });
        Self { child, port, log, readers: readers.into() }
    }

    /// All that it has said.
    pub(crate) fn log(&self) -> String {
        self.log.so_far.lock().unwrap().text.clone()
    }

    /// Waits for a line of the log that holds this.
    pub(crate) fn says(&self, part: &str) {
        self.comes_to_say(&format!("the log says `{part}`"), |log| log.contains(part));
    }

    /// Waits until what it has said is as it should be.
    pub(crate) fn comes_to_say(&self, what: &str, heard: impl Fn(&str) -> bool) {
        assert!(self.log.hears(heard), "waited {SOON:?}, or to its last word, in vain: {what}");
    }

    /// Waits until it takes calls.
    pub(crate) fn opens_its_port(&self) {
        let address = format!("127.0.0.1:{}", self.port);
        let ready = |line: &str| line.contains(r#""message":"ready""#) && line.contains(&address);
        self.comes_to_say("the program opens its port", |log| log.lines().any(ready));
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("a program that is ready has opened its port");
    }

    /// Waits for its end. It is killed if that never comes.
    pub(crate) fn ended(&mut self, what: &str) -> ExitStatus {
        let pid = self.child.id();
        let (tell, told) = mpsc::channel();
        let child = &mut self.child;
        let status = std::thread::scope(|scope| {
            scope.spawn(move || tell.send(child.wait()).ok());
            told.recv_timeout(SOON).unwrap_or_else(|_| {
                signal(pid, "KILL");
                panic!("waited {SOON:?} in vain: {what}")
            })
        });
        self.read_to_the_end();
        status.unwrap()
    }

    /// SIGTERM, and how it ended and after how long.
    pub(crate) fn terminate(&mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        self.looked_through();
        signal(self.child.id(), "TERM");
        let status = self.ended("the program stops");
        (status.code(), began.elapsed())
    }

    /// Stops it as a supervisor does, which must go well.
    pub(crate) fn stop(mut self) {
        let (code, took) = self.terminate();
        assert_eq!(code, Some(0), "{}", self.log());
        assert!(took < STOPS_WITHIN, "stopped after {took:?}\n{}", self.log());
    }

    /// SIGTERM; answers when it takes no calls any more.
    pub(crate) fn begins_to_stop(&self) {
        signal(self.child.id(), "TERM");
        until("the port is closed", || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).err().map(drop));
    }

    fn read_to_the_end(&mut self) {
        for reader in self.readers.drain(..) {
            reader.join().unwrap().unwrap();
        }
    }

    fn looked_through(&self) {
        keeps_secrets("the log", &self.log());
        if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
            keeps_secrets("the metrics", &call(self.port, "GET", "/metrics", &[], b"").body);
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let ended = self.child.try_wait().ok().flatten().is_some();
        if !ended && !std::thread::panicking() {
            self.looked_through();
        }
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("the program's log:\n{}", self.log());
        } else {
            self.read_to_the_end();
            keeps_secrets("the log", &self.log());
        }
    }
}

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap().success());
}

/// What the program has said, line by line. It is kept here and not in a file: a limit on the size of the program's
/// files must not be one on its log.
struct Log {
    so_far: Mutex<SoFar>,
    news: Condvar,
}

struct SoFar {
    text: String,
    /// Outputs that are still open.
    voices: usize,
}

impl Log {
    fn of(voices: usize) -> Self {
        Self { so_far: Mutex::new(SoFar { text: String::new(), voices }), news: Condvar::new() }
    }

    /// Takes down what one output says until it closes.
    fn take_down(&self, voice: impl Read) -> std::io::Result<()> {
        let mut voice = BufReader::new(voice);
        let mut line = String::new();
        let ended = loop {
            match voice.read_line(&mut line) {
                Ok(0) => break Ok(()),
                Ok(_) => self.so_far.lock().unwrap().text.push_str(&line),
                Err(error) => break Err(error),
            }
            self.news.notify_all();
            line.clear();
        };
        self.so_far.lock().unwrap().voices -= 1;
        self.news.notify_all();
        ended
    }

    /// Waits until what was said is as it should be; answers false when it never will be.
    fn hears(&self, heard: impl Fn(&str) -> bool) -> bool {
        let waits = |said: &mut SoFar| said.voices > 0 && !heard(&said.text);
        let (said, _) = self.news.wait_timeout_while(self.so_far.lock().unwrap(), SOON, waits).unwrap();
        heard(&said.text)
    }
}
