//! A caller that sends what it is told, also what no well-behaved client would; and a go-between that answers nonsense.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longer than any deadline the program itself keeps.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was answered.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// One call to 127.0.0.1, on a connection of its own.
pub(crate) fn call(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    call_announcing(port, method, path, headers, body.len(), body)
}

/// The same, with a length of the body that need not be true.
pub(crate) fn call_announcing(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    length: usize,
    body: &[u8],
) -> Answer {
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: {length}\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    spoken(port, &[(head + "\r\n").as_bytes(), body].concat())
}

/// Says something to a port and reads what it says until it hangs up.
pub(crate) fn spoken(port: u16, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Whoever refuses early may hang up before all of it is sent.
    stream.write_all(bytes).ok();
    let mut read = Vec::new();
    stream.read_to_end(&mut read).ok();
    answer(&read)
}

fn answer(bytes: &[u8]) -> Answer {
    let (head, body) = parted(bytes);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or_default();
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
    Answer { status, headers, body: String::from_utf8_lossy(body).into_owned() }
}

/// The head and what comes behind it.
fn parted(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    (String::from_utf8_lossy(&bytes[..end]).into_owned(), &bytes[end..])
}

/// What a go-between does to an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lie {
    /// It hands on what was answered.
    Truth,
    /// The call is made; its answer has the right status and no body.
    Empty,
    /// The call is made; its answer is 200 and an object that says that something went wrong.
    ErrorObject,
    /// The call is not made; the answer is the same.
    ErrorObjectUnsent,
    /// As `Empty`, for calls that write; the others are handed on.
    EmptyWrites,
    /// As `ErrorObject`, for calls that write; the others are handed on.
    ErrorObjectForWrites,
    /// As `Empty`, for calls with this in their body; the others are handed on.
    EmptyFor(&'static str),
    /// The call is not made; it is refused with all that was sent, headers included.
    TellsAll,
    /// The call is not made; the answer has this status line and this body.
    Refuses(&'static str, &'static str),
}

/// Stands between the program and a system.
pub(crate) struct GoBetween {
    address: SocketAddr,
    told: Arc<Mutex<Told>>,
    meanwhile: Arc<Mutex<Option<Meanwhile>>>,
}

/// What happens before a call with a text in its body is handed on.
type Meanwhile = (&'static str, Box<dyn FnOnce() + Send>);

struct Told {
    lie: Lie,
    times: usize,
    /// The head of the last call that was lied to.
    head: String,
}

impl GoBetween {
    pub(crate) fn of(system: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::new(Mutex::new(Told { lie: Lie::Truth, times: 0, head: String::new() }));
        let meanwhile = Arc::default();
        let all = (Arc::clone(&told), Arc::clone(&meanwhile));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (told, meanwhile) = all.clone();
                // A caller that hangs up is no news.
                std::thread::spawn(move || hand_on(stream, system, &told, &meanwhile).ok());
            }
        });
        Self { address, told, meanwhile }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on.
    pub(crate) fn tells(&self, lie: Lie) {
        *self.told.lock().unwrap() = Told { lie, times: 0, head: String::new() };
    }

    /// Before the next call with this in its body is handed on, this happens.
    pub(crate) fn before(&self, part: &'static str, deed: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some((part, Box::new(deed)));
    }

    /// How often the lie was told.
    pub(crate) fn told(&self) -> usize {
        self.told.lock().unwrap().times
    }

    /// The head of the last call that was lied to.
    pub(crate) fn sent(&self) -> String {
        self.told.lock().unwrap().head.clone()
    }
}

fn hand_on(
    mut caller: TcpStream,
    system: SocketAddr,
    told: &Mutex<Told>,
    meanwhile: &Mutex<Option<Meanwhile>>,
) -> std::io::Result<()> {
    caller.set_read_timeout(Some(PATIENCE))?;
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    let (head, body) = loop {
        let read = caller.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        request.extend_from_slice(&piece[..read]);
        let (head, body) = parted(&request);
        if head.ends_with("\r\n\r\n") && body.len() >= length(&head) {
            break (head, body.to_vec());
        }
    };
    let is_awaited = |(part, _): &mut Meanwhile| String::from_utf8_lossy(&body).contains(*part);
    let deed = meanwhile.lock().unwrap().take_if(is_awaited);
    if let Some((_, deed)) = deed {
        deed();
    }
    let writes = !head.starts_with("GET ") && !head.contains("/search ");
    let lie = {
        let mut told = told.lock().unwrap();
        let lie = match told.lie {
            Lie::EmptyWrites | Lie::ErrorObjectForWrites if !writes => Lie::Truth,
            Lie::EmptyWrites => Lie::Empty,
            Lie::EmptyFor(part) if String::from_utf8_lossy(&body).contains(part) => Lie::Empty,
            Lie::EmptyFor(_) => Lie::Truth,
            Lie::ErrorObjectForWrites => Lie::ErrorObject,
            lie => lie,
        };
        if !matches!(lie, Lie::Truth) {
            told.times += 1;
            told.head.clone_from(&head);
        }
        lie
    };
    let error = r#"{"error":{"code":500,"message":"something is not as it should be"}}"#;
    let json = |status: &str, body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    };
    let ask = || {
        let mut stream = TcpStream::connect(system)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head = head.trim_end().to_owned() + "\r\nconnection: close\r\n\r\n";
        stream.write_all(&[head.as_bytes(), &body].concat())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    let reply = match lie {
        Lie::Truth => ask()?,
        Lie::Empty | Lie::EmptyWrites | Lie::EmptyFor(_) => {
            let answered = answer(&ask()?);
            json(&format!("{} OK", answered.status), "").into_bytes()
        }
        Lie::ErrorObject | Lie::ErrorObjectForWrites => {
            ask()?;
            json("200 OK", error).into_bytes()
        }
        Lie::ErrorObjectUnsent => json("200 OK", error).into_bytes(),
        Lie::Refuses(status, body) => json(status, body).into_bytes(),
        Lie::TellsAll => {
            let all = serde_json::json!({ "error": { "message": head, "body": String::from_utf8_lossy(&body) } });
            json("422 Unprocessable", &all.to_string()).into_bytes()
        }
    };
    caller.write_all(&reply)?;
    caller.shutdown(Shutdown::Both)
}

fn length(head: &str) -> usize {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or_default()
}
